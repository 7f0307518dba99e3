import Posix
import Raft

/// Which virtual addresses are not the leader's own: replicated, so that a new leader knows who may hold what.
package struct Loan: Hashable, Sendable {
    package var node: NodeID
    /// The leader wants it back, once the clients have left.
    package var isRecalled: Bool
    /// No two loans of a cluster's life have the same, so that a change which comes late finds what it meant, or nothing.
    package var number: UInt64

    package init(_ node: NodeID, isRecalled: Bool = false, number: UInt64) {
        self.node = node
        self.isRecalled = isRecalled
        self.number = number
    }
}

/// What a change makes of an address.
package enum LoanAim: Hashable, Sendable {
    /// The leader's own, as at first.
    case own
    case lent(NodeID)
    case recalled(NodeID)
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

extension ClusterState {
    /// The caller has seen to it that the change was appended in its term.
    mutating func apply(_ change: LoanChange) -> Outcome {
        guard loans[change.address] == change.from else { return .unchanged }
        guard loans[change.address] != nil || loans.count < GatewayConfiguration.Limit.virtualAddresses else {
            return .refused(.tooMany(what: "lent addresses", limit: GatewayConfiguration.Limit.virtualAddresses))
        }
        loanCount += 1
        switch change.to {
        case .own:
            loans[change.address] = nil
            journal.append(.addressReturned(change.address), at: change.at)
        case .lent(let node):
            loans[change.address] = Loan(node, number: loanCount)
            journal.append(.addressLent(change.address, to: node), at: change.at)
        case .recalled(let node):
            loans[change.address] = Loan(node, isRecalled: true, number: loanCount)
        }
        return .applied
    }
}

extension Right {
    package init(_ address: IPAddress) { self.init(high: address.high, low: address.low) }
}

extension IPAddress {
    package init(_ right: Right) { self.init(high: right.high, low: right.low) }
}
