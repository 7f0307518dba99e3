import Posix

/// How much one node asks of an upstream at a time, and how many requests wait when that is reached. Plain memory.
package struct LoadLimits: Hashable, Sendable {
    /// Under way at all backends, tunnels included; nil for no limit. Over HTTP/1.1 each has a connection of its own, so
    /// this also limits the connections that are in use.
    package var requests: Int?
    /// The same for each backend.
    package var requestsPerBackend: Int?
    /// Requests that may wait for one of those to end; further ones get 503 at once.
    package var queue: Int
    /// For which a request waits before it gets 503.
    package var queueTimeout: Nanoseconds

    package init(
        requests: Int? = nil, requestsPerBackend: Int? = nil, queue: Int = 1_000,
        queueTimeout: Nanoseconds = .seconds(1)
    ) {
        self.requests = requests
        self.requestsPerBackend = requestsPerBackend
        self.queue = queue
        self.queueTimeout = queueTimeout
    }

    package static let standard = LoadLimits()

    @inline(__always)
    var isSet: Bool { requests != nil || requestsPerBackend != nil }
}
