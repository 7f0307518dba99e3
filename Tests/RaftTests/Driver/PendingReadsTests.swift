import Posix
import Raft
import Synchronization
import Testing

struct PendingReadsTests {
    private final class Answers: Sendable {
        let all = Mutex<[Result<LogIndex, ReadError>]>([])
        var values: [Result<LogIndex, ReadError>] { all.withLock { $0 } }
        func take(_ answer: Result<LogIndex, ReadError>) { all.withLock { $0.append(answer) } }
    }

    private let answers = Answers()
    private let start = Instant(nanoseconds: 1000)

    private func add(_ pending: inout PendingReads) -> ReadID {
        let answers = answers
        return pending.add(deadline: start + Nanoseconds(100), again: start + Nanoseconds(30)) { answers.take($0) }!
    }

    @Test func aLostAnswerIsAskedForUnderANewID() {
        var pending = PendingReads(boot: 5)
        let first = add(&pending)
        #expect(pending.takeDue(at: start + Nanoseconds(29), again: start + Nanoseconds(60)).isEmpty)
        let second = pending.takeDue(at: start + Nanoseconds(30), again: start + Nanoseconds(60))
        #expect(second.count == 1 && second != [first])
        pending.served(first, index: LogIndex(1))
        #expect(answers.values.isEmpty)
        pending.served(second[0], index: LogIndex(2))
        #expect(answers.values == [.success(LogIndex(2))])
    }

    @Test func withoutALeaderItEndsAtTheDeadline() {
        var pending = PendingReads(boot: 5)
        let id = add(&pending)
        pending.failed(id, .notLeader(leader: nil), again: start + Nanoseconds(99))
        #expect(pending.takeDue(at: start + Nanoseconds(100), again: .distantFuture).isEmpty)
        #expect(answers.values == [.failure(.noLeader)])
    }

    @Test func overloadIsFinal() {
        var pending = PendingReads(boot: 5)
        pending.failed(add(&pending), .overloaded, again: start)
        #expect(answers.values == [.failure(.overloaded)])
    }
}
