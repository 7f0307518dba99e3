import Posix

/// What all rounds of a drill came to, as text for people.
package struct DrillReport: Sendable {
    package private(set) var rounds: [DrillRound] = []

    package init() {}

    /// Only rounds that ended well.
    package mutating func add(_ round: DrillRound) { rounds.append(round) }

    private static let headings = ["DETECTION", "ELECTION", "ADDRESS", "FIRST ANSWER", "LOST"]

    /// Above the rounds, each of which is a line of its own, as it ends.
    package static let heading =
        (["ROUND".padded(to: 6)] + headings.map { $0.leftPadded(to: columnWidth) } + ["  LEADER"]).joined()
    private static let columnWidth = 14

    package static func line(_ number: Int, _ round: DrillRound, leaders: String) -> String {
        (["\(number)".padded(to: 6)] + cells(round).map { $0.leftPadded(to: columnWidth) } + ["  \(leaders)"]).joined()
    }

    /// The distribution of each figure, and of the first answers a histogram.
    package var summary: [String] {
        let count = "\(rounds.count) round\(rounds.count == 1 ? "" : "s")"
        let lost = rounds.reduce(0) { $0 + $1.lost }
        guard !rounds.isEmpty else { return ["no round ended well"] }
        var lines = ["", "\(count), \(lost) request\(lost == 1 ? "" : "s") lost"]
        for (name, pick) in [("minimum", \DrillDistribution.minimum), ("median", \.median), ("maximum", \.maximum)] {
            let cells = figures.map { figure in DrillDistribution(figure).map { Self.milliseconds($0[keyPath: pick]) } }
            lines.append(
                name.padded(to: 8) + cells.map { ($0 ?? "-").leftPadded(to: Self.columnWidth) }.joined().dropFirst(2))
        }
        let histogram = DrillHistogram(rounds.compactMap(\.firstAnswer))
        return lines + ["", "first answer, ms"] + histogram.lines
    }

    private var figures: [[Nanoseconds]] {
        [
            rounds.compactMap(\.detection), rounds.compactMap(\.election), rounds.compactMap(\.address),
            rounds.compactMap(\.firstAnswer),
        ]
    }

    private static func cells(_ round: DrillRound) -> [String] {
        [round.detection, round.election, round.address, round.firstAnswer].map { $0.map(milliseconds) ?? "-" }
            + ["\(round.lost)"]
    }

    private static func milliseconds(_ time: Nanoseconds) -> String {
        let tenths = (time.milliseconds * 10).rounded()
        return "\(tenths / 10) ms"
    }
}

/// The least, the middle and the most of some times.
package struct DrillDistribution: Hashable, Sendable {
    package var minimum: Nanoseconds
    /// The lower one of the two in the middle.
    package var median: Nanoseconds
    package var maximum: Nanoseconds

    /// Nil of none.
    package init?(_ times: [Nanoseconds]) {
        let sorted = times.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        minimum = first
        median = sorted[(sorted.count - 1) / 2]
        maximum = last
    }
}

/// How many times were how long, in steps of 1, 2 and 5.
package struct DrillHistogram: Hashable, Sendable {
    /// Beyond the last one everything is counted together.
    private static let bounds: [UInt64] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]
    private static let barWidth = 40

    /// Of less than each bound, in milliseconds, and not less than the one before; with those beyond the last.
    package let counts: [Int]

    package init(_ times: [Nanoseconds]) {
        var counts = [Int](repeating: 0, count: Self.bounds.count + 1)
        for time in times {
            let index = Self.bounds.firstIndex { time < .milliseconds($0) } ?? Self.bounds.count
            counts[index] += 1
        }
        self.counts = counts
    }

    /// From the first step that counted something to the last.
    package var lines: [String] {
        guard let first = counts.firstIndex(where: { $0 > 0 }), let last = counts.lastIndex(where: { $0 > 0 }),
            let most = counts.max()
        else { return [] }
        return (first...last).map { index in
            let count = counts[index]
            let length = (count * Self.barWidth + most - 1) / most
            let bar = String(repeating: "#", count: length)
            return "\(Self.label(index).padded(to: 14))\("\(count)".leftPadded(to: 5))  \(bar)".trimmingEnd
        }
    }

    private static func label(_ index: Int) -> String {
        if index == 0 { return "below \(bounds[0])" }
        if index == bounds.count { return "\(bounds[index - 1]) and more" }
        return "\(bounds[index - 1]) to \(bounds[index])"
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + spaces(to: width) }
    fileprivate func leftPadded(to width: Int) -> String { spaces(to: width) + self }
    fileprivate var trimmingEnd: String { String(reversed().drop { $0 == " " }.reversed()) }
    private func spaces(to width: Int) -> String { String(repeating: " ", count: Swift.max(0, width - count)) }
}
