import Gateway
import Posix
import Raft
import Testing

private func at(_ milliseconds: UInt64) -> Instant { .zero + .milliseconds(milliseconds) }

@Suite struct ReleaseNoticeTests {
    private let notice = ReleaseNotice(node: NodeID(2), term: Term(9), cause: .processGone)
    private let key = NoticeKey(first: 0x0706_0504_0302_0100, second: 0x0f0e_0d0c_0b0a_0908)

    /// Appendix A of the paper, and two of the reference implementation's vectors.
    @Test(
        arguments: [(0, 0x726f_db47_dd0e_0e31), (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5)]
            as [(UInt8, UInt64)])
    func sipHash(count: UInt8, expected: UInt64) {
        #expect(SipHash.hash(Array(0..<count), key: key) == expected)
    }

    @Test func aSignedNoticeIsRead() {
        let bytes = notice.encoded(key: key)
        #expect(bytes.count == ReleaseNotice.byteCount)
        #expect(ReleaseNotice(bytes) { $0 == NodeID(2) ? key : nil } == notice)
    }

    @Test func anythingElseIsNot() {
        let bytes = notice.encoded(key: key)
        #expect(ReleaseNotice(bytes) { _ in nil } == nil)
        #expect(ReleaseNotice(bytes) { _ in NoticeKey(first: 1, second: 2) } == nil)
        #expect(ReleaseNotice(bytes + [0]) { _ in key } == nil)
        for position in bytes.indices {
            var forged = bytes
            forged[position] ^= 1
            #expect(ReleaseNotice(forged) { _ in key } == nil)
            #expect(ReleaseNotice(Array(bytes.prefix(position))) { _ in key } == nil)
        }
    }
}

@Suite struct NoticeScheduleTests {
    private var schedule = NoticeSchedule()

    @Test mutating func deathOfTheGatewayIsToldAgainAndAgain() {
        schedule.note(holds: true, lease: Term(3), isGone: false, now: at(0))
        #expect(schedule.nextDeadline == .distantFuture)
        schedule.note(holds: false, lease: Term(3), isGone: true, now: at(100))
        var told: [Instant] = []
        while schedule.nextDeadline != .distantFuture {
            let now = schedule.nextDeadline
            let due = schedule.due(at: now)
            #expect(due?.term == Term(3) && due?.cause == .processGone)
            #expect(schedule.due(at: now) == nil)
            told.append(now)
        }
        #expect(told == NoticeSchedule.offsets.map { at(100) + $0 })
    }

    @Test mutating func nothingIsToldWhileAddressesAreLeft() {
        schedule.note(holds: true, lease: Term(3), isGone: true, now: at(0))
        #expect(schedule.due(at: at(0)) == nil)
        schedule.note(holds: false, lease: Term(3), isGone: true, now: at(5))
        #expect(schedule.due(at: at(5))?.cause == .processGone)
    }

    @Test mutating func aLeaseThatTheGatewayGivesBackIsItsOwnAffair() {
        schedule.note(holds: true, lease: Term(3), isGone: false, now: at(0))
        schedule.note(holds: false, lease: nil, isGone: false, now: at(1))
        schedule.note(holds: false, lease: nil, isGone: true, now: at(2))
        #expect(schedule.due(at: at(2)) == nil)
    }

    @Test mutating func anExpiredLeaseIsToldOnceAndTheDeathAfterIt() {
        schedule.note(holds: true, lease: Term(3), isGone: false, now: at(0))
        schedule.note(holds: false, lease: Term(3), isGone: false, now: at(40))
        #expect(schedule.due(at: at(40))?.cause == .leaseExpired)
        while schedule.nextDeadline != .distantFuture { _ = schedule.due(at: schedule.nextDeadline) }
        schedule.note(holds: false, lease: Term(3), isGone: false, now: at(200))
        #expect(schedule.due(at: at(200)) == nil)
        schedule.note(holds: false, lease: Term(3), isGone: true, now: at(300))
        #expect(schedule.due(at: at(300))?.cause == .processGone)
    }

    @Test mutating func aGuardThatHeldNothingSaysNothing() {
        schedule.note(holds: false, lease: Term(3), isGone: false, now: at(0))
        schedule.note(holds: false, lease: Term(3), isGone: true, now: at(1))
        #expect(schedule.due(at: at(1)) == nil)
    }
}
