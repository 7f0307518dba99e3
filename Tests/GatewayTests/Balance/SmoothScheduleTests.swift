import Gateway
import Testing

@Suite struct SmoothScheduleTests {
    @Test func visitsInProportionAndSpread() {
        // nginx's own example: weights 5, 1, 1 give a a b a c a a.
        #expect(SmoothSchedule.period(weights: [5, 1, 1]) == [0, 0, 1, 0, 2, 0, 0])
        #expect(SmoothSchedule.period(weights: [1, 1, 1]) == [0, 1, 2])
    }

    @Test func commonDivisorShortensThePeriod() {
        #expect(SmoothSchedule.period(weights: [300, 100]) == [0, 0, 1, 0])
    }

    @Test func weightZeroIsNeverVisited() {
        #expect(SmoothSchedule.period(weights: [0, 2, 0]) == [1])
        #expect(SmoothSchedule.period(weights: [0, 0]).isEmpty)
        #expect(SmoothSchedule.period(weights: []).isEmpty)
    }

    @Test func hugeWeightsAreScaledAndNoneIsLost() {
        let period = SmoothSchedule.period(weights: [1000, 999, 998, 997, 996, 1])
        #expect(period.count <= SmoothSchedule.maximumPeriod + 6)
        let counts = (0..<6).map { choice in period.filter { $0 == choice }.count }
        #expect(counts[5] >= 1)
        #expect(abs(counts[0] - counts[4]) <= 4)
    }
}
