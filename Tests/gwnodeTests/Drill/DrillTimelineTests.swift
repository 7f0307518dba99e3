import Posix
import Testing
import gwnode

/// Node 1 leads term 3 and fails at 1 s.
@Suite struct DrillTimelineTests {
    private static func at(_ milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: 1_000_000_000 + milliseconds * 1_000_000)
    }

    private static let before = Instant(nanoseconds: 990_000_000)
    private var timeline = DrillTimeline(began: Self.at(0), leader: 1, term: 3)

    private mutating func see(_ time: UInt64, term: UInt64, leader: UInt64?, holder: UInt64?) {
        timeline.note(.init(at: Self.at(time), term: term, leader: leader, holders: [holder]))
    }

    private mutating func ask(_ opened: UInt64, until ended: UInt64, isAnswered: Bool) {
        timeline.note(.init(opened: Self.at(opened), ended: Self.at(ended), isAnswered: isAnswered))
    }

    @Test mutating func countsEachStepFromTheFault() {
        see(1, term: 3, leader: 1, holder: 1)
        see(8, term: 3, leader: nil, holder: 1)
        see(12, term: 4, leader: 2, holder: 1)
        see(13, term: 4, leader: 2, holder: 2)
        see(14, term: 4, leader: 2, holder: 2)
        ask(2, until: 1002, isAnswered: false)
        ask(7, until: 1007, isAnswered: false)
        ask(12, until: 15, isAnswered: true)
        ask(17, until: 18, isAnswered: true)
        #expect(
            timeline.round
                == DrillRound(
                    detection: .milliseconds(8), election: .milliseconds(12), address: .milliseconds(13),
                    firstAnswer: .milliseconds(15), lost: 2))
    }

    @Test mutating func whatWasBeforeTheFaultDoesNotCount() {
        timeline.note(.init(at: Self.before, term: 9, leader: 2, holders: [2]))
        timeline.note(.init(opened: Self.before, ended: Self.before, isAnswered: false))
        #expect(timeline.round == DrillRound())
    }

    /// Of two that know nothing of each other the first one counts, whichever tells first.
    @Test mutating func theFirstOfSeveralWitnessesCounts() {
        see(20, term: 4, leader: 2, holder: 2)
        see(9, term: 4, leader: 2, holder: 2)
        #expect(timeline.round.address == .milliseconds(9))
    }

    /// An answer that came between two lost requests is not yet the end of the outage.
    @Test mutating func theFirstAnswerComesAfterTheLastLoss() {
        ask(1, until: 3, isAnswered: true)
        ask(6, until: 8, isAnswered: false)
        ask(11, until: 12, isAnswered: true)
        ask(16, until: 17, isAnswered: false)
        ask(21, until: 25, isAnswered: true)
        #expect(timeline.round.firstAnswer == .milliseconds(25) && timeline.round.lost == 2)
    }

    @Test mutating func aPlannedMoveLosesNothing() {
        ask(1, until: 3, isAnswered: true)
        see(5, term: 4, leader: 2, holder: 2)
        ask(6, until: 8, isAnswered: true)
        #expect(timeline.round.firstAnswer == .milliseconds(3) && timeline.round.lost == 0)
    }

    @Test mutating func aRoundIsOverOnceClientsAreCalm() {
        ask(2, until: 1002, isAnswered: false)
        ask(30, until: 31, isAnswered: true)
        see(20, term: 4, leader: nil, holder: nil)
        #expect(!timeline.isOver(at: Self.at(2000), oldestOpen: nil), "nobody has the address")
        see(28, term: 4, leader: 2, holder: 2)
        #expect(!timeline.isOver(at: Self.at(300), oldestOpen: nil), "too soon")
        #expect(!timeline.isOver(at: Self.at(600), oldestOpen: Self.at(20)), "an old request may still be lost")
        #expect(timeline.isOver(at: Self.at(600), oldestOpen: Self.at(598)))
        ask(450, until: 590, isAnswered: false)
        #expect(!timeline.isOver(at: Self.at(700), oldestOpen: nil), "lost again")
    }

    /// When no other node can be asked.
    @Test mutating func clientsAloneCanEndARound() {
        ask(2, until: 3, isAnswered: true)
        #expect(!timeline.isOver(at: Self.at(1000), oldestOpen: nil), "the fault may not have shown yet")
        #expect(timeline.isOver(at: Self.at(4000), oldestOpen: nil))
        ask(6, until: 1006, isAnswered: false)
        #expect(!timeline.isOver(at: Self.at(4000), oldestOpen: nil), "no answer since")
        ask(50, until: 51, isAnswered: true)
        #expect(timeline.isOver(at: Self.at(1100), oldestOpen: nil))
    }
}
