import Gateway
import Posix
import Testing

@Suite struct ScalingJudgeTests {
    private static let start = Instant(nanoseconds: 1_000_000_000_000)
    private static let step = Nanoseconds.milliseconds(500)

    /// A cluster that does what is decided, after `delay`, seen twice a second.
    private struct Course {
        var judge: ScalingJudge
        var now = ScalingJudgeTests.start
        var desired: Int?
        var backends: Int
        var decisions: [(at: Instant, desired: Int)] = []
        let delay: Nanoseconds

        init(_ policy: ScalingPolicy, backends: Int, delay: Nanoseconds = .seconds(5)) {
            judge = ScalingJudge(policy, desired: nil, now: now)
            self.backends = backends
            self.delay = delay
        }

        mutating func run(for time: Nanoseconds, _ load: (Int) -> (active: Int, latency: Nanoseconds?)) {
            let end = now + time
            while now < end {
                if let last = decisions.last, now - last.at >= delay { backends = last.desired }
                let (active, latency) = load(backends)
                let seen = ScalingLoad(activeRequests: active, latency: latency, backends: backends)
                if let decided = judge.observe(seen, desired: desired, at: now) {
                    decisions.append((now, decided))
                    desired = decided
                }
                now = now + ScalingJudgeTests.step
            }
        }
    }

    private let policy = ScalingPolicy(
        target: .requests(10), minimum: 2, maximum: 20, rise: .seconds(3), fall: .seconds(60), pause: .seconds(15))

    @Test func goesUpFastAndDownSlowly() {
        var course = Course(policy, backends: 2)
        course.run(for: .seconds(30)) { _ in (15, nil) }
        #expect(course.decisions.isEmpty)
        let rose = course.now
        course.run(for: .seconds(60)) { _ in (95, nil) }
        #expect(course.decisions.map(\.desired) == [10])
        #expect(course.decisions[0].at - rose <= .milliseconds(3500))
        let fell = course.now
        course.run(for: .seconds(120)) { _ in (31, nil) }
        #expect(course.decisions.map(\.desired) == [10, 4])
        #expect(course.decisions[1].at - fell >= .seconds(60))
    }

    @Test func boundsAreKept() {
        var course = Course(policy, backends: 1)
        course.run(for: .seconds(100)) { _ in (0, nil) }
        #expect(course.decisions.map(\.desired) == [2])
        course.run(for: .seconds(100)) { _ in (1_000_000, nil) }
        #expect(course.decisions.map(\.desired) == [2, 20])
        course.run(for: .seconds(200)) { _ in (0, nil) }
        #expect(course.decisions.map(\.desired) == [2, 20, 2])
    }

    @Test func neitherAPeakNorAGapChangesAnything() {
        var course = Course(policy, backends: 5)
        for _ in 0..<20 {
            course.run(for: .seconds(20)) { _ in (45, nil) }
            course.run(for: .milliseconds(2500)) { _ in (200, nil) }
            course.run(for: .seconds(20)) { _ in (45, nil) }
            course.run(for: .seconds(30)) { _ in (3, nil) }
        }
        #expect(course.decisions.isEmpty)
    }

    @Test func latencyMovesTheNumberUntilItIsInTime() {
        let policy = ScalingPolicy(
            target: .latency(.milliseconds(100)), maximum: 50, rise: .seconds(2), fall: .seconds(30),
            pause: .seconds(10))
        var course = Course(policy, backends: 2)
        // The more backends, the faster: 100 ms with ten of them.
        course.run(for: .seconds(300)) { backends in (50, .milliseconds(UInt64(1000 / max(1, backends)))) }
        #expect(course.desired.map { 9...11 ~= $0 } == true)
        let settled = course.decisions.count
        course.run(for: .seconds(300)) { backends in (50, .milliseconds(UInt64(1000 / max(1, backends)))) }
        #expect(course.decisions.count == settled)
        course.run(for: .seconds(100)) { _ in (0, nil) }
        #expect(course.desired == 1)
    }

    @Test func aNewLeaderTakesItsTimeAnew() {
        var judge = ScalingJudge(policy, desired: 10, now: Self.start)
        let load = ScalingLoad(activeRequests: 150, latency: nil, backends: 10)
        for half in 0..<29 {
            let now = Self.start + .milliseconds(500 * UInt64(half))
            #expect(judge.observe(load, desired: 10, at: now) == nil)
        }
        #expect(judge.observe(load, desired: 10, at: Self.start + .seconds(15)) == 15)
        // Nothing has come of it yet: said again, and no more once it is agreed on.
        #expect(judge.observe(load, desired: 10, at: Self.start + .seconds(16)) == 15)
        #expect(judge.observe(load, desired: 15, at: Self.start + .seconds(17)) == nil)
    }

    /// Whatever the load does, decisions are within bounds, apart, each another one, and never asked for by less than the
    /// whole of their time.
    @Test(arguments: UInt64(0)..<200)
    func rulesHoldForAnyLoad(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let minimum = Int(random.below(5))
        let each = 1 + Int(random.below(30))
        let policy = ScalingPolicy(
            target: .requests(each), minimum: minimum, maximum: minimum + 1 + Int(random.below(30)),
            rise: .seconds(UInt64(1 + random.below(10))), fall: .seconds(UInt64(1 + random.below(120))),
            pause: .seconds(UInt64(1 + random.below(30))))
        var judge = ScalingJudge(policy, desired: nil, now: Self.start)
        var desired: Int?
        var loads: [(at: Instant, wanted: Int)] = []
        var last: Instant?
        var active = 0
        for half in 0..<2000 {
            let now = Self.start + .milliseconds(500 * UInt64(half))
            if random.below(20) == 0 { active = Int(random.below(600)) }
            if random.below(4) == 0 { active = max(0, active + Int(random.below(21)) - 10) }
            let wanted = min(max((active + each - 1) / each, policy.minimum), policy.maximum)
            loads.append((now, wanted))
            let load = ScalingLoad(activeRequests: active, latency: nil, backends: 3)
            guard let decided = judge.observe(load, desired: desired, at: now) else { continue }
            let before = desired ?? 3
            #expect(policy.minimum...policy.maximum ~= decided && decided != before)
            if let last { #expect(now - last >= policy.pause) }
            let span = decided > before ? policy.rise : policy.fall
            #expect(now - Self.start >= span)
            let recent = loads.filter { now - $0.at <= span }.map(\.wanted)
            #expect(decided > before ? recent.min() == decided : recent.max() == decided)
            desired = decided
            last = now
        }
    }
}
