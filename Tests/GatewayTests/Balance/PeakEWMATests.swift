import Gateway
import Posix
import Testing

@Suite struct PeakEWMATests {
    private func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test func aSlowAnswerCountsAtOnceAndFastOnesSlowly() {
        var average = PeakEWMA()
        average.observe(.milliseconds(10), at: at(1))
        average.observe(.milliseconds(200), at: at(1))
        #expect(average.nanoseconds == 200e6)
        average.observe(.milliseconds(10), at: at(2))
        #expect(average.nanoseconds > 170e6 && average.nanoseconds < 190e6)
        for second in 3..<60 { average.observe(.milliseconds(10), at: at(UInt64(second))) }
        #expect(average.nanoseconds < 12e6)
    }

    @Test func whatIsNotRenewedLosesWeight() {
        var average = PeakEWMA()
        average.observe(.milliseconds(100), at: at(1))
        #expect(average.cost(active: 0, at: at(1)) == 100e6)
        #expect(average.cost(active: 2, at: at(1)) == 300e6)
        #expect(average.cost(active: 0, at: at(11)) < 37e6)
    }

    @Test func aBackendThatNeverAnsweredGetsOneRequest() {
        let unknown = PeakEWMA()
        var slow = PeakEWMA()
        slow.observe(.seconds(60), at: at(1))
        #expect(unknown.cost(active: 0, at: at(1)) == 0)
        #expect(unknown.cost(active: 1, at: at(1)) > slow.cost(active: 10, at: at(1)))
    }

    /// Whatever is observed, the average lies between the smallest and the largest observation, and never below what
    /// the last one has shown.
    @Test(arguments: (1...20).map { UInt64($0) * 6_700_417 })
    func everyWalkStaysBetweenItsObservations(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var average = PeakEWMA()
        var (now, least, most) = (Instant(nanoseconds: 1), Double.infinity, 0.0)
        for _ in 0..<2_000 {
            now = now + .milliseconds(UInt64(random.below(3_000)))
            let latency = Nanoseconds.microseconds(UInt64(random.below(1_000_000)))
            average.observe(latency, at: now)
            least = min(least, Double(latency.count))
            most = max(most, Double(latency.count))
            #expect(average.nanoseconds >= Double(latency.count) * 0.999_999)
            #expect(average.nanoseconds >= least * 0.999_999 && average.nanoseconds <= most)
        }
    }
}
