/// Where a node writes a line for each request, and how.
package struct AccessLogOptions: Hashable, Sendable {
    package enum Destination: Hashable, Sendable {
        /// Appended to, and opened again when asked.
        case file(path: String)
        case standardOutput
    }

    package var destination: Destination
    package var format: AccessLogFormat
    /// Bytes that may wait to be written, for each worker: a power of two. A line that finds no room is dropped and
    /// counted.
    package var queueBytes: Int

    package init(destination: Destination, format: AccessLogFormat, queueBytes: Int = 1 << 20) {
        precondition(queueBytes >= AccessLogLine.maximumBytes && queueBytes & (queueBytes - 1) == 0)
        self.destination = destination
        self.format = format
        self.queueBytes = queueBytes
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
