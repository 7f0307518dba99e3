/// The buckets that durations are counted in: eight of equal width for each power of two from 4 µs to 69 s, one below
/// and one above. A quantile read from them is at most an eighth too high.
package enum LatencyBuckets {
    private static let firstExponent = 12
    private static let endExponent = 36
    private static let bucketsPerOctaveLog2 = 3

    package static let count = 2 + (endExponent - firstExponent) << bucketsPerOctaveLog2

    @inline(__always)
    static func index(of duration: Nanoseconds) -> Int {
        let exponent = 63 - duration.count.leadingZeroBitCount
        if exponent < firstExponent { return 0 }
        if exponent >= endExponent { return count - 1 }
        let part = Int(duration.count >> UInt64(exponent - bucketsPerOctaveLog2)) & (1 << bucketsPerOctaveLog2 - 1)
        return 1 + (exponent - firstExponent) << bucketsPerOctaveLog2 + part
    }

    /// What every duration in the bucket is less than; nil for the last one.
    package static func bound(_ index: Int) -> Nanoseconds? {
        if index == 0 { return Nanoseconds(1 << UInt64(firstExponent)) }
        if index >= count - 1 { return nil }
        let (octave, part) = (index - 1).quotientAndRemainder(dividingBy: 1 << bucketsPerOctaveLog2)
        let parts = UInt64(1 << bucketsPerOctaveLog2 + part + 1)
        return Nanoseconds(parts << UInt64(octave + firstExponent - bucketsPerOctaveLog2))
    }
}

/// How many durations were how long.
package struct LatencyHistogram: Hashable, Sendable {
    /// By `LatencyBuckets`.
    package private(set) var counts: [UInt64]
    package private(set) var sum: Nanoseconds

    package init() {
        counts = [UInt64](repeating: 0, count: LatencyBuckets.count)
        sum = .zero
    }

    /// `counts` has one element for each bucket.
    package init(counts: [UInt64], sum: Nanoseconds) {
        precondition(counts.count == LatencyBuckets.count, "one count a bucket")
        self.counts = counts
        self.sum = sum
    }

    package var total: UInt64 { counts.reduce(0, &+) }

    package mutating func record(_ duration: Nanoseconds) {
        counts[LatencyBuckets.index(of: duration)] += 1
        sum = Nanoseconds(sum.count &+ duration.count)
    }

    package mutating func add(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        sum = Nanoseconds(sum.count &+ other.sum.count)
    }

    /// What came since `earlier`, an older state of the same counts; all of it when that is none.
    package func since(_ earlier: LatencyHistogram) -> LatencyHistogram {
        var difference = self
        for index in counts.indices {
            guard counts[index] >= earlier.counts[index] else { return self }
            difference.counts[index] -= earlier.counts[index]
        }
        difference.sum = sum - earlier.sum
        return difference
    }

    /// A duration that at least `share` (0 to 1) of all were less than, by the bounds of the buckets; nil of none.
    package func quantile(_ share: Double) -> Nanoseconds? {
        let total = total
        guard total > 0 else { return nil }
        let wanted = max(1, UInt64((Double(total) * share).rounded(.up)))
        var seen: UInt64 = 0
        for (index, count) in counts.enumerated() {
            seen += count
            if seen >= wanted { return LatencyBuckets.bound(index) ?? LatencyBuckets.bound(index - 1) }
        }
        return LatencyBuckets.bound(counts.count - 2)
    }
}
