import Posix
import Raft
import Testing

struct OutstandingWritesTests {
    private let start = Instant(nanoseconds: 1000)

    @Test func aStallIsNoticedOnceAtTheLimit() {
        var writes = OutstandingWrites(limit: Nanoseconds(50))
        writes.add(.init(1), at: start)
        writes.add(.init(2), at: start + Nanoseconds(20))
        #expect(writes.nextDeadline == start + Nanoseconds(50))
        #expect(writes.noticeStall(at: start + Nanoseconds(49)) == nil)
        #expect(writes.noticeStall(at: start + Nanoseconds(50)) == Nanoseconds(50))
        #expect(writes.noticeStall(at: start + Nanoseconds(90)) == nil)
        #expect(writes.nextDeadline == .distantFuture)
    }

    @Test func aFinishedWriteEndsTheStallAndTheNextTicketCounts() {
        var writes = OutstandingWrites(limit: Nanoseconds(50))
        writes.add(.init(1), at: start)
        writes.add(.init(2), at: start + Nanoseconds(20))
        #expect(writes.noticeStall(at: start + Nanoseconds(60)) != nil)
        writes.finished(through: .init(1))
        #expect(writes.nextDeadline == start + Nanoseconds(70))
        writes.finished(through: .init(2))
        #expect(writes.nextDeadline == .distantFuture)
    }
}
