/// How a request gets the number by which it is found again in all logs, and what of W3C Trace Context goes on.
package struct TracingPolicy: Hashable, Sendable {
    /// The raw value is the name in files.
    package enum RequestID: String, Hashable, Sendable, CaseIterable {
        /// Every request gets a new one, but for those of trusted proxies, which may bring their own.
        case create
        /// Whoever asks may bring one; the others get a new one.
        case keep
        /// The field is one like any other.
        case off
    }

    /// The raw value is the name in files.
    package enum Traceparent: String, Hashable, Sendable, CaseIterable {
        /// A valid one goes on with its tracestate, another one does not.
        case pass
        /// The same, and a request without a valid one begins a new trace.
        case create
        /// The same as `create`, but only trusted proxies are believed.
        case restart
    }

    package var requestID: RequestID
    /// A token of 1 to 64 characters that the gateway has no other use for.
    package var requestIDField: String
    package var traceparent: Traceparent
    /// The share of new traces that others are asked to record, 0…100.
    package var sampledPercent: Int

    package init(
        requestID: RequestID = .create, requestIDField: String = "X-Request-Id", traceparent: Traceparent = .pass,
        sampledPercent: Int = 100
    ) {
        self.requestID = requestID
        self.requestIDField = requestIDField
        self.traceparent = traceparent
        self.sampledPercent = sampledPercent
    }

    package static let standard = TracingPolicy()
}
