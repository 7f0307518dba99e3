import Posix
import Testing

@Suite struct LatencyHistogramTests {
    /// Buckets follow each other without gap: what is a nanosecond less than a bound is the last in its bucket.
    @Test func bucketsFollowEachOther() throws {
        var earlier = Nanoseconds.zero
        for index in 0..<LatencyBuckets.count - 1 {
            let bound = try #require(LatencyBuckets.bound(index))
            #expect(bound > earlier)
            for duration in [earlier, Nanoseconds(bound.count - 1)] {
                var histogram = LatencyHistogram()
                histogram.record(duration)
                #expect(histogram.counts[index] == 1, "\(duration.count) ns")
            }
            earlier = bound
        }
        #expect(LatencyBuckets.bound(LatencyBuckets.count - 1) == nil)
        var histogram = LatencyHistogram()
        histogram.record(Nanoseconds(.max))
        histogram.record(earlier)
        #expect(histogram.counts.last == 2)
    }

    @Test func bucketsAreAtMostAnEighthWide() throws {
        for index in 1..<LatencyBuckets.count - 1 {
            let (low, high) = (
                try #require(LatencyBuckets.bound(index - 1)), try #require(LatencyBuckets.bound(index))
            )
            #expect(Double(high.count - low.count) / Double(low.count) <= 0.125)
        }
    }

    @Test(arguments: [(0.5, 500.0), (0.99, 990), (0.999, 999), (1, 1000), (0, 1)])
    func quantilesAreAtMostAnEighthTooHigh(share: Double, milliseconds: Double) throws {
        var histogram = LatencyHistogram()
        for duration in 1...1000 { histogram.record(.milliseconds(UInt64(duration))) }
        let quantile = try #require(histogram.quantile(share)).milliseconds
        #expect(quantile > milliseconds && quantile <= milliseconds * 1.126)
        #expect(LatencyHistogram().quantile(share) == nil)
    }

    @Test func differencesAreWhatCameSince() {
        var histogram = LatencyHistogram()
        histogram.record(.milliseconds(1))
        let earlier = histogram
        histogram.record(.milliseconds(3))
        var expected = LatencyHistogram()
        expected.record(.milliseconds(3))
        #expect(histogram.since(earlier) == expected)
        #expect(expected.since(histogram) == expected, "another history is no earlier state")
        var sum = earlier
        sum.add(expected)
        #expect(sum == histogram)
    }

    @Test func sharedHistogramsCountTheSame() {
        let shared = SharedHistogram()
        var expected = LatencyHistogram()
        for duration in [Nanoseconds.zero, .microseconds(7), .milliseconds(7), .seconds(7), .seconds(700)] {
            shared.record(duration)
            expected.record(duration)
        }
        #expect(shared.snapshot == expected)
        #expect(expected.total == 5)
    }
}
