/// Where a node writes a line for each request, and how.
package struct AccessLogOptions: Hashable, Sendable {
    package enum Destination: Hashable, Sendable {
        /// Appended to, and opened again when asked.
        case file(path: String)
        case standardOutput
    }

    package var destination: Destination
    package var content: AccessLogContent
    /// Bytes that may wait to be written, for each worker: a power of two. A line that finds no room is dropped and
    /// counted.
    package var queueBytes: Int

    package init(destination: Destination, content: AccessLogContent, queueBytes: Int = 1 << 20) {
        precondition(queueBytes >= AccessLogLine.maximumBytes && queueBytes & (queueBytes - 1) == 0)
        self.destination = destination
        self.content = content
        self.queueBytes = queueBytes
    }
}

/// Which requests are logged, and what of them.
package struct AccessLogContent: Hashable, Sendable {
    package var format: AccessLogFormat
    /// Of a line of the format `json`, in their order. The other formats have their own.
    package var fields: [AccessLogField]
    /// The share of the successful requests that are logged, 0…100. All are whose answer was an error or did not come to
    /// its end.
    package var successPercent: Int

    package init(
        format: AccessLogFormat, fields: [AccessLogField] = AccessLogField.allCases, successPercent: Int = 100
    ) {
        self.format = format
        self.fields = fields
        self.successPercent = successPercent
    }

    package static let standard = AccessLogContent(format: .combined)
}

/// A field of a JSON line. The raw value is its name there and in node files.
package enum AccessLogField: String, Hashable, Sendable, CaseIterable {
    case time, client, request, host, status, bytes, complete, seconds, backend, hedged, referer, userAgent, requestId,
        traceId
}

/// What an entry has to keep of a request for its line.
struct AccessLogParts: OptionSet {
    let rawValue: UInt8
    static let host = AccessLogParts(rawValue: 1 << 0)
    static let refererAndAgent = AccessLogParts(rawValue: 1 << 1)
    static let identity = AccessLogParts(rawValue: 1 << 2)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ content: AccessLogContent) {
        switch content.format {
        case .common: self = []
        case .combined: self = .refererAndAgent
        case .json:
            self = []
            if content.fields.contains(.host) { insert(.host) }
            if content.fields.contains(.referer) || content.fields.contains(.userAgent) { insert(.refererAndAgent) }
            if content.fields.contains(.requestId) || content.fields.contains(.traceId) { insert(.identity) }
        }
    }
}

/// The raw value is the name in files.
package enum AccessLogFormat: String, Hashable, Sendable, CaseIterable {
    /// The Common Log Format of the web servers, and behind it the backend and the seconds that the request took.
    case common
    /// The same with the fields Referer and User-Agent before those two.
    case combined
    /// One JSON object a line.
    case json
}
