/// How often runs did what they are meant to try.
package struct Coverage: Sendable, CustomStringConvertible {
    package enum Count: Int, CaseIterable, Sendable {
        case steps, commits, writes, reads
        case elections, transfers, membershipChanges, replacements, continuedTerms
        case starts, interruptedStarts, refusedStarts, processCrashes, powerLosses, failedWrites, flippedBits
        case snapshotsTaken, snapshotsInstalled
    }

    private var counts = [Int](repeating: 0, count: Count.allCases.count)
    private var faults = [Int](repeating: 0, count: Plan.Fault.allCases.count)

    package init() {}

    package subscript(count: Count) -> Int {
        get { counts[count.rawValue] }
        set { counts[count.rawValue] = newValue }
    }

    /// Faults of all kinds that were tried.
    package var faultCount: Int { faults.reduce(0, +) }

    mutating func note(_ fault: Plan.Fault) { faults[fault.rawValue] += 1 }

    package static func += (left: inout Coverage, right: Coverage) {
        for position in left.counts.indices { left.counts[position] += right.counts[position] }
        for position in left.faults.indices { left.faults[position] += right.faults[position] }
    }

    package var description: String {
        let done = Count.allCases.map { "\($0) \(self[$0])" }
        let tried = Plan.Fault.allCases.map { "\($0) \(faults[$0.rawValue])" }
        return "\(done.joined(separator: ", ")); faults: \(tried.joined(separator: ", "))"
    }
}
