import Posix

/// Counts the configurations that the cluster has agreed on; the first one is 1.
package struct Revision: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
    /// No configuration has been agreed on yet.
    package static let none = Revision(0)
    package var next: Revision { Revision(number + 1) }
    package static func < (left: Revision, right: Revision) -> Bool { left.number < right.number }
    package var description: String { String(number) }
}

/// Names a backend in the whole cluster. One address in two upstreams is two backends: each is checked and switched
/// on its own.
package struct BackendKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var upstream: String
    package var address: SocketAddress

    package init(upstream: String, address: SocketAddress) {
        self.upstream = upstream
        self.address = address
    }

    /// By upstream, then by the address's numeric value.
    package static func < (left: BackendKey, right: BackendKey) -> Bool {
        if left.upstream != right.upstream { return left.upstream < right.upstream }
        let (one, two) = (left.address, right.address)
        return (one.ip.high, one.ip.low, one.port) < (two.ip.high, two.ip.low, two.port)
    }

    package var description: String { "\(upstream) \(address)" }
}

/// What the operator wants of a backend. The raw value is the name in the API.
package enum BackendMode: String, Codable, Hashable, Sendable, CaseIterable {
    case enabled
    /// Gets no new requests; running ones end.
    case draining
    /// Gets no requests; running ones are not waited for.
    case disabled
}

/// What is known of a backend's health. The raw value is the name in the API.
package enum HealthStatus: String, Hashable, Sendable, CaseIterable {
    /// Not checked, or not yet: counts as usable.
    case unknown
    case up
    case down
}

/// A judgement on a backend and the reason for it, such as `connect refused` or `status 503`.
package struct HealthVerdict: Hashable, Sendable {
    package var status: HealthStatus
    /// For people; cut off at `Command.Limit.reasonBytes`.
    package var reason: String

    package init(_ status: HealthStatus, reason: String) {
        self.status = status
        self.reason = reason.cutOff(atBytes: Command.Limit.reasonBytes)
    }

    package static let unknown = HealthVerdict(.unknown, reason: "not checked")
}
