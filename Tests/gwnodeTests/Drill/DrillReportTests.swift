import Posix
import Testing
import gwnode

@Suite struct DrillReportTests {
    private static func times(_ milliseconds: UInt64...) -> [Nanoseconds] { milliseconds.map { .milliseconds($0) } }

    @Test func distributionOfAFewTimes() {
        #expect(DrillDistribution([]) == nil)
        let one = DrillDistribution(Self.times(7))
        #expect(one?.minimum == .milliseconds(7) && one?.median == .milliseconds(7) && one?.maximum == .milliseconds(7))
        let four = DrillDistribution(Self.times(40, 10, 30, 20))
        #expect(four?.minimum == .milliseconds(10) && four?.maximum == .milliseconds(40))
        #expect(four?.median == .milliseconds(20), "the lower one in the middle")
        #expect(DrillDistribution(Self.times(3, 1, 2))?.median == .milliseconds(2))
    }

    @Test func histogramHasStepsOfOneTwoAndFive() {
        let histogram = DrillHistogram(Self.times(0, 1, 2, 4, 5, 19, 20, 9999, 10_000, 70_000))
        #expect(histogram.counts == [1, 1, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2])
    }

    @Test func histogramShowsTheStepsBetween() {
        #expect(
            DrillHistogram(Self.times(6, 7, 30)).lines == [
                "5 to 10           2  ########################################",
                "10 to 20          0",
                "20 to 50          1  ####################",
            ])
        #expect(DrillHistogram([]).lines.isEmpty)
    }

    @Test func reportsWhatWasSeen() {
        var report = DrillReport()
        report.add(
            DrillRound(
                detection: .milliseconds(8), election: .milliseconds(12), address: .microseconds(12_340),
                firstAnswer: .milliseconds(15), lost: 2))
        report.add(DrillRound(firstAnswer: .milliseconds(25), lost: 1))
        #expect(
            report.summary == [
                "",
                "2 rounds, 3 requests lost",
                "minimum       8.0 ms       12.0 ms       12.3 ms       15.0 ms",
                "median        8.0 ms       12.0 ms       12.3 ms       15.0 ms",
                "maximum       8.0 ms       12.0 ms       12.3 ms       25.0 ms",
                "",
                "first answer, ms",
                "10 to 20          1  ########################################",
                "20 to 50          1  ########################################",
            ])
    }

    @Test func aLineForEachRound() {
        let round = DrillRound(detection: .milliseconds(8), firstAnswer: .milliseconds(1500), lost: 12)
        let line = DrillReport.line(3, round, leaders: "gw1 -> gw2")
        #expect(
            DrillReport.heading
                == "ROUND      DETECTION      ELECTION       ADDRESS  FIRST ANSWER          LOST  LEADER")
        #expect(line == "3             8.0 ms             -             -     1500.0 ms            12  gw1 -> gw2")
    }

    @Test func withoutARoundThereIsNothingToShow() {
        #expect(DrillReport().summary == ["no round ended well"])
    }
}
