import Posix

/// Puts virtual addresses on this machine and takes them off. Used by one thread only; every call returns within a
/// fraction of a millisecond.
package protocol VirtualIPProvider: AnyObject {
    /// What keeps this machine from answering once its lease is over.
    var fence: Fence { get }
    /// Whether there is anything that this can do.
    var canHold: Bool { get }
    /// False while the link under the addresses is down.
    var hasCarrier: Bool { get }
    /// The addresses that may be claimed later, and the ports on which the gateway serves, for providers that open the
    /// listeners themselves.
    func configure(addresses: [IPAddress], ports: [UInt16])
    /// Makes this node answer on `address`, until `end` at the latest where the provider can see to that. An address
    /// that is there already is claimed as well. `extend` follows.
    func claim(_ address: IPAddress, until end: Instant) throws(VirtualIPError)
    /// The node may answer on what it claimed until `end` now. False when that came too late: it answers on nothing until
    /// the next extension, with which it may go on.
    func extend(_ held: [IPAddress], until end: Instant) throws(VirtualIPError) -> Bool
    /// Tells the neighbours on the link that `address` is here now.
    func announce(_ address: IPAddress) throws(VirtualIPError)
    /// How much before the end of a lease new connections are to be kept back for the next holder, because they could not be
    /// served to their end here; nil where nothing can be kept back.
    var closingTime: Nanoseconds? { get }
    /// Keeps back what arrives for `addresses`, and for no others any more: new connections to those that are still held
    /// here are let in then.
    func hold(_ hold: ArrivalHold, for addresses: [IPAddress]) throws(VirtualIPError)
    /// Stops answering on `address`. An address that is gone already is no error.
    func release(_ address: IPAddress) throws(VirtualIPError)
    /// Whether one of `held` was taken away by someone else since the last call.
    func hasLost(anyOf held: [IPAddress]) -> Bool
}

extension VirtualIPProvider {
    package var canHold: Bool { true }
    package var closingTime: Nanoseconds? { nil }
}

/// What is kept back of that which arrives for virtual addresses before they move.
package enum ArrivalHold: UInt8, Hashable, Sendable {
    case nothing = 0
    /// Requests for new connections wait unanswered, a second at the most, and then reach the next holder; what is
    /// connected goes on.
    case newConnections = 1
    /// Nothing arrives at all, until the hold ends or the address is claimed anew.
    case everything = 2
}

/// What keeps a node from answering on a virtual address after its lease, from the strongest to the weakest.
package enum Fence: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// The kernel drops what arrives for the address, even when no process of the node runs any more.
    case kernel = 1
    /// A small process of its own, which outlives the gateway's.
    case `guard` = 2
    /// The gateway's own observance of its lease.
    case lease = 3

    /// How much before the end of the lease the address is given up, because giving it up may come late.
    package var allowance: Nanoseconds {
        switch self {
        case .kernel: .zero
        case .guard, .lease: .milliseconds(5)
        }
    }

    package var description: String {
        switch self {
        case .kernel: "kernel"
        case .guard: "guard"
        case .lease: "lease"
        }
    }
}

/// Why a provider could not do its work, and what the operator can do about it.
package struct VirtualIPError: Error, Hashable, Sendable, CustomStringConvertible {
    package let what: String
    package let cure: String

    package init(_ what: String, cure: String) {
        self.what = what
        self.cure = cure
    }

    package var description: String { "\(what); \(cure)" }
}

/// For a node that holds no address itself, because something outside of the cluster spreads the traffic.
package final class NoProvider: VirtualIPProvider {
    package init() {}
    package var canHold: Bool { false }
    package var fence: Fence { .lease }
    package var hasCarrier: Bool { true }
    package func configure(addresses: [IPAddress], ports: [UInt16]) {}
    package func claim(_ address: IPAddress, until end: Instant) {}
    package func extend(_ held: [IPAddress], until end: Instant) -> Bool { true }
    package func announce(_ address: IPAddress) {}
    package func hold(_ hold: ArrivalHold, for addresses: [IPAddress]) {}
    package func release(_ address: IPAddress) {}
    package func hasLost(anyOf held: [IPAddress]) -> Bool { false }
}
