import Gateway
import Posix
import Testing

@Suite struct OutlierDetectorTests {
    private let policy = EjectionPolicy(
        consecutiveFailures: 5, excessPercent: 30, minimumRequests: 20, interval: .seconds(10), time: .seconds(10),
        maximumTime: .seconds(35), maximumPercent: 50)

    private func at(_ seconds: Int) -> Instant { Instant(nanoseconds: UInt64(seconds) * 1_000_000_000) }

    private func fail(
        _ detector: inout OutlierDetector, _ backend: UInt32, _ count: Int, among: Int = 3, at seconds: Int
    ) -> OutlierDetector.Ejection? {
        detector.failed(backend, inARow: count, last: .status(503), among: among, policy, at: at(seconds))
    }

    @Test func failuresInARowEject() throws {
        var detector = OutlierDetector()
        #expect(fail(&detector, 1, 4, at: 100) == nil)
        let ejection = try #require(fail(&detector, 1, 5, at: 100))
        #expect(ejection.until == at(110))
        let avoidance = BackendAvoidance.ejected(ejection.cause, remaining: .milliseconds(11_200))
        #expect("\(avoidance)" == "ejected: 5 consecutive failures, the last: status 503, back in 12 s")
        #expect(fail(&detector, 1, 6, at: 101) == nil, "it is ejected")
    }

    @Test func eachEjectionInARowLastsLongerUpToTheMaximum() throws {
        var detector = OutlierDetector()
        var now = 100
        var lengths: [Int] = []
        for _ in 0..<5 {
            let ejection = try #require(fail(&detector, 1, 5, at: now))
            let end = Int(ejection.until.nanoseconds / 1_000_000_000)
            lengths.append(end - now)
            now = end
        }
        #expect(lengths == [10, 20, 30, 35, 35])
        // Each ten seconds of service take one back.
        #expect(fail(&detector, 1, 5, at: now + 40)?.until == at(now + 40 + 20))
    }

    @Test func neverMoreThanTheShareAndNeverTheLast() {
        var detector = OutlierDetector()
        #expect(fail(&detector, 1, 5, at: 100) != nil)
        #expect(fail(&detector, 2, 5, at: 100) == nil, "one of three is half of them already")
        #expect(fail(&detector, 2, 5, at: 110) != nil, "the first is back")
        var alone = OutlierDetector()
        #expect(fail(&alone, 1, 500, among: 1, at: 100) == nil)
        var many = OutlierDetector()
        let ejected = (0..<10).count { fail(&many, $0, 5, among: 10, at: 100) != nil }
        #expect(ejected == 5)
    }

    @Test func aBackendThatFailsMoreThanTheOthersIsEjected() throws {
        var detector = OutlierDetector()
        func tallies(_ failures: [Int], requests: Int) -> [OutlierDetector.Tally] {
            failures.enumerated().map { .init(backend: UInt32($0), requests: requests, failures: $1) }
        }
        #expect(detector.isComparisonDue(at: at(0)))
        #expect(detector.compare(tallies([50, 0, 0], requests: 100), policy, at: at(0)).isEmpty, "no interval yet")
        #expect(!detector.isComparisonDue(at: at(9)))
        // Of a hundred further requests 5, 40 and 9 failed: 40 is more than 7 and 30, but the others are well.
        let ejections = detector.compare(tallies([55, 40, 9], requests: 200), policy, at: at(10))
        #expect(ejections.map(\.backend) == [1])
        #expect(ejections.first?.cause == .excess(percent: 40, others: 7, requests: 100))
    }

    @Test func whatEverybodyDoesOrFewRequestsShowEjectsNobody() {
        var detector = OutlierDetector()
        func compare(_ parts: [(requests: Int, failures: Int)], _ seconds: Int) -> [OutlierDetector.Ejection] {
            let tallies = parts.enumerated().map {
                OutlierDetector.Tally(backend: UInt32($0), requests: $1.requests, failures: $1.failures)
            }
            return detector.compare(tallies, policy, at: at(seconds))
        }
        #expect(compare([(0, 0), (0, 0)], 0).isEmpty)
        #expect(compare([(100, 90), (100, 80)], 10).isEmpty)
        #expect(compare([(119, 109), (300, 80)], 20).isEmpty, "19 requests")
        // Nobody asked for an hour: it begins anew.
        #expect(compare([(1_000, 900), (9_000, 80)], 3_600).isEmpty)
        #expect(compare([(1_020, 920), (9_100, 80)], 3_610).map(\.backend) == [0])
    }

    /// However backends fail: never too many are ejected, none for longer than the maximum, and all come back.
    @Test(arguments: (1...20).map { UInt64($0) * 15_485_863 })
    func everyWalkKeepsToTheLimits(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        let count = 1 + Int(random.below(6))
        let policy = EjectionPolicy(
            consecutiveFailures: 3, excessPercent: 20, minimumRequests: 5, interval: .seconds(1), time: .seconds(2),
            maximumTime: .seconds(9), maximumPercent: Int(random.below(101)))
        let most = policy.maximumPercent == 0 ? 0 : min(count - 1, max(1, count * policy.maximumPercent / 100))
        var detector = OutlierDetector()
        var until = [Instant](repeating: .zero, count: count)
        var tallies = (0..<count).map { OutlierDetector.Tally(backend: UInt32($0), requests: 0, failures: 0) }
        var rows = [Int](repeating: 0, count: count)
        var now = Instant(nanoseconds: 1)
        for _ in 0..<5_000 {
            now = now + .milliseconds(UInt64(random.below(100)))
            let backend = Int(random.below(UInt32(count)))
            tallies[backend].requests += 1
            var ejections: [OutlierDetector.Ejection] = []
            if random.below(10) < UInt32(2 + backend) {
                tallies[backend].failures += 1
                rows[backend] += 1
                ejections += [
                    detector.failed(
                        UInt32(backend), inARow: rows[backend], last: .closedBeforeReply, among: count, policy, at: now)
                ].compactMap { $0 }
                if detector.isComparisonDue(at: now) { ejections += detector.compare(tallies, policy, at: now) }
            } else {
                rows[backend] = 0
            }
            for ejection in ejections {
                let index = Int(ejection.backend)
                try #require(until[index] <= now, "ejected twice")
                until[index] = ejection.until
                rows[index] = 0
                try #require(ejection.until - now <= .seconds(9), "too long")
            }
            let ejected = until.count { $0 > now }
            try #require(ejected <= most, "\(ejected) of \(count) ejected")
        }
    }
}
