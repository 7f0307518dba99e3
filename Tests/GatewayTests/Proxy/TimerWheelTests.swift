import Gateway
import Posix
import Testing

@Suite struct TimerWheelTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    @Test func firesNeverEarlyAndAtMostOneTickLate() {
        var wheel = TimerWheel(capacity: 4, now: start)
        let deadline = start + .milliseconds(500)
        wheel.set(Slot(1), at: deadline)
        #expect(wheel.expire(now: deadline - .milliseconds(1)) == nil)
        #expect(wheel.expire(now: deadline + .milliseconds(17)) == Slot(1))
        #expect(wheel.expire(now: deadline + .seconds(100)) == nil)
        #expect(wheel.nextDeadline() == .distantFuture)
    }

    @Test func deadlineThatMovesLaterFiresOnceAtTheLaterTime() {
        var wheel = TimerWheel(capacity: 4, now: start)
        wheel.set(Slot(0), at: start + .milliseconds(100))
        wheel.set(Slot(0), at: start + .seconds(60))
        #expect(wheel.expire(now: start + .seconds(59)) == nil)
        #expect(wheel.expire(now: start + .seconds(61)) == Slot(0))
        #expect(wheel.expire(now: start + .seconds(200)) == nil)
    }

    @Test func deadlineThatMovesEarlierFiresAtTheEarlierTime() {
        var wheel = TimerWheel(capacity: 4, now: start)
        wheel.set(Slot(0), at: start + .seconds(60))
        wheel.set(Slot(0), at: start + .milliseconds(100))
        #expect(wheel.expire(now: start + .milliseconds(200)) == Slot(0))
        #expect(wheel.expire(now: start + .seconds(200)) == nil)
    }

    @Test func cancelledDeadlineDoesNotFire() {
        var wheel = TimerWheel(capacity: 4, now: start)
        wheel.set(Slot(2), at: start + .milliseconds(100))
        wheel.cancel(Slot(2))
        #expect(wheel.expire(now: start + .seconds(10)) == nil)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func agreesWithASortedListOfDeadlines(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let capacity = 200
        let tick = Nanoseconds.milliseconds(17)
        var wheel = TimerWheel(capacity: capacity, now: start)
        var deadlines = [Instant?](repeating: nil, count: capacity)
        var now = start
        for _ in 0..<5_000 {
            let slot = Int(random.below(UInt32(capacity)))
            switch random.below(4) {
            case 0:
                wheel.cancel(Slot(UInt32(slot)))
                deadlines[slot] = nil
            default:
                let deadline = now + .milliseconds(UInt64(random.below(40_000)))
                wheel.set(Slot(UInt32(slot)), at: deadline)
                deadlines[slot] = deadline
            }
            now = now + .milliseconds(UInt64(random.below(50)))
            while let fired = wheel.expire(now: now) {
                let deadline = deadlines[Int(fired.index)]
                #expect(deadline != nil && deadline! <= now, "seed \(seed)")
                deadlines[Int(fired.index)] = nil
            }
            for case let deadline? in deadlines { #expect(deadline + tick > now, "seed \(seed): late") }
            let earliest = deadlines.compactMap { $0 }.min() ?? .distantFuture
            #expect(earliest == .distantFuture || wheel.nextDeadline() <= earliest + tick, "seed \(seed)")
        }
    }
}
