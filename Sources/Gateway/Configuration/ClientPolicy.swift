import Posix

/// What clients may ask of a node, how long they may take, and whom of them it believes.
package struct ClientPolicy: Hashable, Sendable {
    package var limits: ClientLimits
    package var timeouts: ClientTimeouts
    /// Proxies in front of the gateway that may say on whose behalf they ask; at most `maximumTrustedProxies`.
    package var trustedProxies: [IPNetwork]
    /// Where they say it.
    package var forwardedField: ForwardedField

    package init(
        limits: ClientLimits = .standard, timeouts: ClientTimeouts = .standard, trustedProxies: [IPNetwork] = [],
        forwardedField: ForwardedField = .xForwardedFor
    ) {
        self.limits = limits
        self.timeouts = timeouts
        self.trustedProxies = trustedProxies
        self.forwardedField = forwardedField
    }

    package static let standard = ClientPolicy()
    package static let maximumTrustedProxies = 64
}

package struct ClientLimits: Hashable, Sendable {
    package var head: HeadLimits
    /// Bytes of a request body without its framing. Beyond it: 413.
    package var bodyBytes: UInt64
    /// Connections that one client address (IPv6: one /64) may have open at a node; nil: as many as there are.
    /// Beyond it a connection is reset, and a request that comes through a trusted proxy is answered with 429.
    package var connectionsPerAddress: Int?

    package init(
        head: HeadLimits = .standard, bodyBytes: UInt64 = 1 << 30, connectionsPerAddress: Int? = nil
    ) {
        self.head = head
        self.bodyBytes = bodyBytes
        self.connectionsPerAddress = connectionsPerAddress
    }

    package static let standard = ClientLimits()
}

/// How long a client may take.
package struct ClientTimeouts: Hashable, Sendable {
    /// From the first byte of a request head, or from the accept, to the head's end.
    package var requestHead: Nanoseconds
    /// Over which a request body has to come at `minimumRate` at least.
    package var requestBody: Nanoseconds
    /// Between a response and the next request.
    package var keepAlive: Nanoseconds
    /// Over which a client has to take a response at `minimumRate` at least.
    package var write: Nanoseconds
    /// Without a byte in either direction through a tunnel.
    package var tunnel: Nanoseconds
    /// Bytes a second. The time in which the gateway itself does not read or write does not count.
    package var minimumRate: UInt64

    package init(
        requestHead: Nanoseconds = .seconds(10), requestBody: Nanoseconds = .seconds(30),
        keepAlive: Nanoseconds = .seconds(60), write: Nanoseconds = .seconds(30),
        tunnel: Nanoseconds = .seconds(3600), minimumRate: UInt64 = 256
    ) {
        self.requestHead = requestHead
        self.requestBody = requestBody
        self.keepAlive = keepAlive
        self.write = write
        self.tunnel = tunnel
        self.minimumRate = minimumRate
    }

    package static let standard = ClientTimeouts()

    /// The fewest bytes that are to move within `time`.
    func leastBytes(in time: Nanoseconds) -> Int { Int(time.count / 1_000_000 * minimumRate / 1000) }
}
