import Posix
import Raft

/// Which virtual addresses are not the leader's own: replicated, so that a new leader knows who may hold what.
package struct Loan: Hashable, Sendable {
    package var node: NodeID
    /// The leader wants it back, once the clients have left.
    package var isRecalled: Bool
    /// Grants of it may be long: one of both nodes is being upgraded, or was a moment ago.
    package var isLong: Bool
    /// No two loans of a cluster's life have the same, so that a change which comes late finds what it meant, or nothing.
    package var number: UInt64

    package init(_ node: NodeID, isRecalled: Bool = false, isLong: Bool = false, number: UInt64) {
        self.node = node
        self.isRecalled = isRecalled
        self.isLong = isLong
        self.number = number
    }
}

/// What a change makes of an address.
package enum LoanAim: Hashable, Sendable {
    /// The leader's own, as at first.
    case own
    case lent(NodeID)
    case recalled(NodeID)
    /// The same loan, of which long grants may be given.
    case long
    /// The same loan, of which none are left.
    case short
}

/// A leader's change of a loan. Nothing changes where another one came first, or in a later term.
package struct LoanChange: Hashable, Sendable {
    package var address: IPAddress
    package var from: Loan?
    package var to: LoanAim
    /// In which the leader knew that no third node may hold the address.
    package var term: Term
    /// Stamped by whoever proposes it.
    package var at = WallTime(millisecondsSince1970: 0)

    package init(_ address: IPAddress, from: Loan?, to: LoanAim, term: Term) {
        self.address = address
        self.from = from
        self.to = to
        self.term = term
    }
}

/// The loans of a cluster.
package struct Loans: Hashable, Sendable {
    package private(set) var all: [IPAddress: Loan]
    /// So far.
    package private(set) var changes: UInt64

    package init(_ all: [IPAddress: Loan] = [:], changes: UInt64 = 0) {
        self.all = all
        self.changes = changes
    }

    /// False when nothing changes, because another change came first. The caller has seen to it that this one was appended
    /// in its term.
    package mutating func apply(_ change: LoanChange) -> Bool {
        let former = change.from
        guard all[change.address] == former else { return false }
        changes += 1
        switch change.to {
        case .own: all[change.address] = nil
        case .lent(let node): all[change.address] = Loan(node, number: changes)
        case .recalled(let node):
            all[change.address] = Loan(
                node, isRecalled: true, isLong: former?.isLong ?? false, number: changes)
        case .long: setLong(true, change.address)
        case .short: setLong(false, change.address)
        }
        return true
    }

    private mutating func setLong(_ isLong: Bool, _ address: IPAddress) {
        all[address]?.isLong = isLong
        all[address]?.number = changes
    }

    /// Whether the node with this status may hold `addresses` next after `node`: `node` leads, and hands leadership over or
    /// lends the addresses, or it was lent them and this node leads.
    package func pass(_ addresses: Set<IPAddress>, from node: NodeID, to raft: Status) -> Bool {
        if raft.leader == node { return raft.id != node }
        return raft.role == .leader && addresses.allSatisfy { all[$0]?.node == node }
    }

    /// Nothing is lent any more.
    package mutating func clear() { all = [:] }
}

extension Right {
    package init(_ address: IPAddress) { self.init(high: address.high, low: address.low) }
}

extension IPAddress {
    package init(_ right: Right) { self.init(high: right.high, low: right.low) }
}
