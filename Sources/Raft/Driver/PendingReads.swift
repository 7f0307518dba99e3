import Posix

/// The linearizable reads of this node that are not served yet.
package struct PendingReads: ~Copyable {
    package typealias Completion = @Sendable (Result<LogIndex, ReadError>) -> Void

    private struct Pending {
        var deadline: Instant
        var again: Instant
        /// The last answer was a refusal, not silence.
        var isRefused = false
        var completion: Completion
    }

    private static var countLimit: Int { 1 << 14 }

    private let boot: UInt64
    private var sequence: UInt64 = 0
    private var pending: [ReadID: Pending] = [:]
    /// Nothing is due before this.
    package private(set) var nextDeadline = Instant.distantFuture

    package init(boot: UInt64) { self.boot = boot }

    /// The id to ask under, nil when too many wait. Asked anew at `again`, for questions and answers can be lost.
    package mutating func add(deadline: Instant, again: Instant, _ completion: @escaping Completion) -> ReadID? {
        guard pending.count < Self.countLimit else { return nil }
        let id = nextID()
        pending[id] = Pending(deadline: deadline, again: again, completion: completion)
        nextDeadline = min(nextDeadline, deadline, again)
        return id
    }

    package mutating func served(_ id: ReadID, index: LogIndex) {
        pending.removeValue(forKey: id)?.completion(.success(index))
    }

    package mutating func failed(_ id: ReadID, _ reason: ReadFailure, again: Instant) {
        switch reason {
        case .notLeader:
            guard pending[id] != nil else { return }
            pending[id]!.again = again
            pending[id]!.isRefused = true
            nextDeadline = min(nextDeadline, again)
        case .overloaded:
            pending.removeValue(forKey: id)?.completion(.failure(.overloaded))
        }
    }

    /// Ends what is overdue and returns the ids to ask anew under.
    package mutating func takeDue(at now: Instant, again: Instant) -> [ReadID] {
        guard nextDeadline <= now else { return [] }
        var due: [ReadID] = []
        nextDeadline = .distantFuture
        for (id, read) in pending {
            if read.deadline <= now {
                pending[id] = nil
                read.completion(.failure(read.isRefused ? .noLeader : .timedOut))
            } else if read.again <= now {
                pending[id] = nil
                let fresh = nextID()
                pending[fresh] = Pending(
                    deadline: read.deadline, again: again, isRefused: read.isRefused, completion: read.completion)
                due.append(fresh)
                nextDeadline = min(nextDeadline, read.deadline, again)
            } else {
                nextDeadline = min(nextDeadline, read.deadline, read.again)
            }
        }
        return due
    }

    package mutating func failAll(_ error: ReadError) {
        let all = pending
        pending = [:]
        for read in all.values { read.completion(.failure(error)) }
    }

    private mutating func nextID() -> ReadID {
        sequence += 1
        return ReadID(boot: boot, sequence: sequence)
    }
}
