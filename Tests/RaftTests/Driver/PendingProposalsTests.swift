import Posix
import Raft
import Synchronization
import Testing

/// Every proposal gets exactly one answer, whatever happens to it.
struct PendingProposalsTests {
    private typealias Answer = Result<Int, ProposalError>

    private final class Answers: Sendable {
        let all = Mutex<[Answer]>([])
        var values: [Answer] { all.withLock { $0 } }
        func take(_ answer: Answer) { all.withLock { $0.append(answer) } }
    }

    private let answers = Answers()
    private let start = Instant(nanoseconds: 1000)

    private func make() -> PendingProposals<Int> { PendingProposals(node: NodeID(1), boot: 5) }

    private func add(_ pending: inout PendingProposals<Int>, _ after: UInt64 = 100) -> ProposalID {
        let answers = answers
        return pending.add([1], deadline: start + Nanoseconds(after)) { answers.take($0) }!
    }

    @Test func anAppliedProposalIsAnsweredOnce() {
        var pending = make()
        let id = add(&pending)
        pending.applied(id, 7)
        pending.applied(id, 8)
        pending.failAll(.stopping)
        #expect(answers.values == [.success(7)])
    }

    @Test func silenceEndsAtTheDeadline() {
        var pending = make()
        let id = add(&pending)
        #expect(pending.nextDeadline == start + Nanoseconds(100))
        #expect(pending.takeDue(at: start + Nanoseconds(99)).isEmpty)
        #expect(answers.values.isEmpty)
        #expect(pending.takeDue(at: start + Nanoseconds(100)).isEmpty)
        pending.applied(id, 7)
        #expect(answers.values == [.failure(.timedOut)])
        #expect(pending.nextDeadline == .distantFuture)
    }

    @Test func aRefusalWithoutALeaderIsTriedAgain() {
        var pending = make()
        let id = add(&pending)
        pending.failed(id, .notLeader(leader: nil), again: start + Nanoseconds(10), limit: 9)
        #expect(pending.takeDue(at: start + Nanoseconds(9)).isEmpty)
        #expect(pending.takeDue(at: start + Nanoseconds(10)).map(\.id) == [id])
        pending.failed(id, .handingOver, again: start + Nanoseconds(200), limit: 9)
        #expect(pending.takeDue(at: start + Nanoseconds(100)).isEmpty)
        #expect(answers.values == [.failure(.noLeader)])
    }

    @Test func otherRefusalsAreFinal() {
        var pending = make()
        for reason in [ProposalFailure.overloaded, .tooLarge, .superseded] {
            pending.failed(add(&pending), reason, again: start, limit: 9)
        }
        #expect(answers.values == [.failure(.overloaded), .failure(.tooLarge(limit: 9)), .failure(.unknownOutcome)])
    }

    @Test func aSnapshotLeavesTheOutcomeOpenOnlyOfWhatWasProposed() {
        var pending = make()
        _ = add(&pending)
        let refused = add(&pending)
        pending.failed(refused, .notLeader(leader: nil), again: start + Nanoseconds(10), limit: 9)
        pending.restored()
        #expect(answers.values == [.failure(.unknownOutcome)])
        #expect(pending.takeDue(at: start + Nanoseconds(10)).map(\.id) == [refused])
    }
}
