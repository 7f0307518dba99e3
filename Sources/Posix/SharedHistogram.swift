import Synchronization

/// A histogram that one thread writes and any thread reads, without locks. Readers may see a duration in the sum that
/// is not yet in its bucket.
package final class SharedHistogram: @unchecked Sendable {
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>

    package init() {
        cells = .allocate(capacity: HistogramCells.count)
        for index in 0..<HistogramCells.count { (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        cells.deinitialize(count: HistogramCells.count)
        cells.deallocate()
    }

    /// To be called by one thread at a time.
    package func record(_ duration: Nanoseconds) { HistogramCells(cells).record(duration) }

    package var snapshot: LatencyHistogram { HistogramCells(cells).snapshot }
}

/// The memory of a histogram with one writer, wherever it lies: the sum in nanoseconds, then the buckets.
package struct HistogramCells {
    package static let count = 1 + LatencyBuckets.count
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>

    /// `cells` are `count` initialised ones.
    package init(_ cells: UnsafeMutablePointer<Atomic<UInt64>>) { self.cells = cells }

    package func record(_ duration: Nanoseconds) {
        Self.increase(cells, by: duration.count)
        Self.increase(cells + 1 + LatencyBuckets.index(of: duration), by: 1)
    }

    package var snapshot: LatencyHistogram {
        let sum = Nanoseconds(cells.pointee.load(ordering: .relaxed))
        let counts = (0..<LatencyBuckets.count).map { cells[1 + $0].load(ordering: .relaxed) }
        return LatencyHistogram(counts: counts, sum: sum)
    }

    /// With one writer, a plain store in place of a locked instruction.
    @inline(__always)
    private static func increase(_ cell: UnsafeMutablePointer<Atomic<UInt64>>, by amount: UInt64) {
        cell.pointee.store(cell.pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}
