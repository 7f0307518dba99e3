import Posix

/// What one node did in a span of about a second.
package struct LiveSample: Hashable, Sendable {
    /// Of requests to one upstream.
    package struct Upstream: Hashable, Sendable {
        package var name: String
        /// Those that ended, with or without a response.
        package var requests: UInt64
        /// Responses of class 5xx.
        package var errors: UInt64
        package var retries: UInt64
        package var durations: LatencyHistogram

        package init(name: String, requests: UInt64, errors: UInt64, retries: UInt64, durations: LatencyHistogram) {
            self.name = name
            self.requests = requests
            self.errors = errors
            self.retries = retries
            self.durations = durations
        }
    }

    package var span: Nanoseconds
    /// Requests whose head was read, those without a route included.
    package var requests: UInt64
    package var errors: UInt64
    package var bytesReceived: UInt64
    package var bytesSent: UInt64
    /// At the end of the span.
    package var activeRequests: Int
    package var clientConnections: Int
    package var upstreams: [Upstream]

    package init(
        span: Nanoseconds, requests: UInt64, errors: UInt64, bytesReceived: UInt64, bytesSent: UInt64,
        activeRequests: Int, clientConnections: Int, upstreams: [Upstream]
    ) {
        self.span = span
        self.requests = requests
        self.errors = errors
        self.bytesReceived = bytesReceived
        self.bytesSent = bytesSent
        self.activeRequests = activeRequests
        self.clientConnections = clientConnections
        self.upstreams = upstreams
    }
}

/// Makes samples of counters that only rise.
package struct LiveSampler: Sendable {
    private var last: (at: Instant, proxy: ProxyStatistics, upstreams: [String: UpstreamMeasures])?

    package init() {}

    /// What happened since the call before; nil at the first.
    package mutating func sample(
        _ proxy: ProxyStatistics, _ upstreams: [(name: String, measures: UpstreamMeasures)], at now: Instant
    ) -> LiveSample? {
        let earlier = last
        last = (now, proxy, Dictionary(upstreams.map { ($0.name, $0.measures) }) { first, _ in first })
        guard let earlier, now > earlier.at else { return nil }
        return LiveSample(
            span: now - earlier.at, requests: proxy.requests &- earlier.proxy.requests,
            errors: proxy.responses[4] &- earlier.proxy.responses[4],
            bytesReceived: proxy.bytesReceived &- earlier.proxy.bytesReceived,
            bytesSent: proxy.bytesSent &- earlier.proxy.bytesSent, activeRequests: proxy.activeRequests,
            clientConnections: proxy.clientConnections,
            upstreams: upstreams.map { name, measures in
                // An upstream that was removed and came back begins at zero.
                let known = earlier.upstreams[name].flatMap { $0.responseCount <= measures.responseCount ? $0 : nil }
                let before = known ?? UpstreamMeasures()
                return LiveSample.Upstream(
                    name: name, requests: measures.requestCount &- before.requestCount,
                    errors: measures.responses[4] &- before.responses[4], retries: measures.retries &- before.retries,
                    durations: measures.durations.since(before.durations))
            })
    }
}

extension UpstreamMeasures {
    fileprivate var requestCount: UInt64 { responseCount &+ abandoned }
}
