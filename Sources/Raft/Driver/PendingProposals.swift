import Posix

/// The proposals of this node that have no outcome yet.
package struct PendingProposals<Outcome: Sendable>: ~Copyable {
    package typealias Completion = @Sendable (Result<Outcome, ProposalError>) -> Void

    private enum State {
        /// Given to Raft.
        case proposed
        /// Refused without having been appended; to be proposed again then.
        case refused(ProposalFailure, again: Instant)
    }

    private struct Pending {
        var command: [UInt8]
        var deadline: Instant
        var completion: Completion
        var state = State.proposed
    }

    private static var countLimit: Int { 1 << 14 }
    private static var byteLimit: Int { 64 << 20 }

    private let node: NodeID
    private let boot: UInt64
    private var sequence: UInt64 = 0
    private var pending: [ProposalID: Pending] = [:]
    private var bytes = 0
    /// No deadline and no retry is due before this.
    package private(set) var nextDeadline = Instant.distantFuture

    package init(node: NodeID, boot: UInt64) {
        self.node = node
        self.boot = boot
    }

    /// The id to propose the command under, nil when too many wait.
    package mutating func add(_ command: [UInt8], deadline: Instant, _ completion: @escaping Completion) -> ProposalID?
    {
        guard pending.count < Self.countLimit, bytes + command.count <= Self.byteLimit else { return nil }
        sequence += 1
        let id = ProposalID(node: node, boot: boot, sequence: sequence)
        pending[id] = Pending(command: command, deadline: deadline, completion: completion)
        bytes += command.count
        nextDeadline = min(nextDeadline, deadline)
        return id
    }

    package mutating func applied(_ id: ProposalID, _ outcome: Outcome) { finish(id, .success(outcome)) }

    /// A refusal that another leader may not repeat is tried again at `again`.
    package mutating func failed(_ id: ProposalID, _ reason: ProposalFailure, again: Instant, limit: Int) {
        switch reason {
        case .notLeader, .handingOver:
            guard pending[id] != nil else { return }
            pending[id]!.state = .refused(reason, again: again)
            nextDeadline = min(nextDeadline, again)
        case .overloaded: finish(id, .failure(.overloaded))
        case .tooLarge: finish(id, .failure(.tooLarge(limit: limit)))
        case .superseded: finish(id, .failure(.unknownOutcome))
        }
    }

    /// The state came from a snapshot: what it holds of the proposals will not be applied one by one.
    package mutating func restored() {
        for (id, proposal) in pending {
            switch proposal.state {
            case .proposed: finish(id, .failure(.unknownOutcome))
            case .refused: break
            }
        }
    }

    /// Ends what is overdue and returns what has to be proposed again.
    package mutating func takeDue(at now: Instant) -> [(id: ProposalID, command: [UInt8])] {
        guard nextDeadline <= now else { return [] }
        var due: [(id: ProposalID, command: [UInt8])] = []
        nextDeadline = .distantFuture
        for (id, proposal) in pending {
            var wakeUp = proposal.deadline
            switch proposal.state {
            case .proposed:
                if proposal.deadline <= now { finish(id, .failure(.timedOut)) }
            case .refused(_, let again):
                if proposal.deadline <= now {
                    finish(id, .failure(.noLeader))
                } else if again <= now {
                    pending[id]!.state = .proposed
                    due.append((id, proposal.command))
                } else {
                    wakeUp = min(wakeUp, again)
                }
            }
            if pending[id] != nil { nextDeadline = min(nextDeadline, wakeUp) }
        }
        return due.sorted { $0.id.sequence < $1.id.sequence }
    }

    package mutating func failAll(_ error: ProposalError) {
        for id in pending.keys { finish(id, .failure(error)) }
    }

    private mutating func finish(_ id: ProposalID, _ result: Result<Outcome, ProposalError>) {
        guard let proposal = pending.removeValue(forKey: id) else { return }
        bytes -= proposal.command.count
        proposal.completion(result)
    }
}
