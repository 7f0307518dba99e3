/// What the clients saw, and whether one register for each key, changed at one instant within each operation,
/// explains it: linearizability. Every value is written once, so the check is exact and fast
/// (Gibbons and Korach, Testing Shared Memories, 1997, section 5.1: clusters and zones).
package struct RegisterHistory: Sendable {
    package struct Operation: Sendable {
        package enum Kind: Sendable {
            case write
            case read
        }

        package var kind: Kind
        package var key: Int
        /// Written or read; 0 is what a register holds at first.
        package var value: UInt64
        package var begin: UInt64
        /// `.max` when the outcome is not known.
        package var end: UInt64

        package init(_ kind: Kind, key: Int, value: UInt64, begin: UInt64, end: UInt64) {
            self.kind = kind
            self.key = key
            self.value = value
            self.begin = begin
            self.end = end
        }
    }

    private var operations: [Operation] = []

    package init() {}

    package mutating func add(_ operation: Operation) { operations.append(operation) }

    /// All operations on one value. Somewhere from the earliest end to the latest begin the register holds it: a zone
    /// that is `forward` has to hold it throughout, one that is not could do with any instant of its own.
    private struct Cluster {
        var value: UInt64
        var writeBegin: UInt64?
        var earliestEnd = UInt64.max
        var latestBegin: UInt64 = 0
        var isRead = false

        var isForward: Bool { earliestEnd < latestBegin }
        var low: UInt64 { min(earliestEnd, latestBegin) }
        var high: UInt64 { max(earliestEnd, latestBegin) }

        mutating func include(_ operation: Operation) {
            earliestEnd = min(earliestEnd, operation.end)
            latestBegin = max(latestBegin, operation.begin)
            switch operation.kind {
            case .write: writeBegin = operation.begin
            case .read: isRead = true
            }
        }
    }

    /// Nil when the history is linearizable.
    package func violation() -> String? {
        for key in Set(operations.map(\.key)).sorted() {
            if let violation = violation(of: operations.filter { $0.key == key }) { return "key \(key): \(violation)" }
        }
        return nil
    }

    private func violation(of operations: [Operation]) -> String? {
        var clusters: [UInt64: Cluster] = [0: Cluster(value: 0, writeBegin: 0, earliestEnd: 0)]
        for operation in operations {
            clusters[operation.value, default: Cluster(value: operation.value)].include(operation)
        }
        for read in operations where read.kind == .read {
            guard let begin = clusters[read.value]?.writeBegin else { return "read of \(read.value), never written" }
            if read.end < begin { return "read of \(read.value) ended at \(read.end), before its write began" }
        }
        // A write of unknown outcome that nobody read may never have happened.
        let zones = clusters.values.filter { $0.isRead || $0.earliestEnd < .max }.sorted { $0.value < $1.value }
        return conflict(among: zones)
    }

    private func conflict(among zones: [Cluster]) -> String? {
        for forward in zones where forward.isForward {
            for other in zones where other.value != forward.value {
                let overlaps = other.isForward && other.low < forward.high && forward.low < other.high
                let isInside = !other.isForward && forward.low < other.low && other.high < forward.high
                if overlaps || isInside {
                    return "values \(forward.value) [\(forward.low), \(forward.high)] and "
                        + "\(other.value) [\(other.low), \(other.high)] exclude each other"
                }
            }
        }
        return nil
    }
}
