import Posix
import Synchronization

/// What was counted of the requests that were routed to one upstream, since the upstream came or the node began.
package struct UpstreamMeasures: Hashable, Sendable {
    /// Final responses by the first digit of their status, from 1xx (tunnels) to 5xx; made here or by a backend.
    package var responses: [UInt64] = [0, 0, 0, 0, 0]
    /// Attempts at a further backend.
    package var retries: UInt64 = 0
    /// Requests that ended without a response, mostly because their client had gone.
    package var abandoned: UInt64 = 0
    /// Bytes from and to clients, heads and framing included, counted when their request ends.
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// From the request's head to the response's last byte; of all responses but tunnels.
    package var durations = LatencyHistogram()

    package init() {}

    /// Final responses of any status.
    package var responseCount: UInt64 { responses.reduce(0, &+) }

    package mutating func add(_ other: UpstreamMeasures) {
        for index in responses.indices { responses[index] &+= other.responses[index] }
        retries &+= other.retries
        abandoned &+= other.abandoned
        bytesReceived &+= other.bytesReceived
        bytesSent &+= other.bytesSent
        durations.add(other.durations)
    }
}

/// Where one worker counts for one upstream: only that worker writes, any thread reads.
struct UpstreamCells {
    /// Whole cache lines, so that no two workers write to the same one.
    fileprivate static let count = (offsetOfDurations + HistogramCells.count + 7) & ~7
    private static let offsetOfRetries = 5
    private static let offsetOfAbandoned = 6
    private static let offsetOfReceived = 7
    private static let offsetOfSent = 8
    private static let offsetOfDurations = 9

    private let cells: UnsafeMutablePointer<Atomic<UInt64>>

    /// `base` is that of a `UpstreamRuntime`.
    @inline(__always)
    init(_ base: UnsafeMutablePointer<Atomic<UInt64>>, worker: Int) {
        cells = base + worker * UpstreamCells.count
    }

    @inline(__always)
    func countRetry() { cells[UpstreamCells.offsetOfRetries].increase() }

    /// Counts a request that is over. `status` is 0 when there was no response.
    @inline(__always)
    func count(status: UInt16, duration: Nanoseconds, bytesReceived: UInt64, bytesSent: UInt64) {
        cells[UpstreamCells.offsetOfReceived].increase(by: bytesReceived)
        cells[UpstreamCells.offsetOfSent].increase(by: bytesSent)
        switch status / 100 {
        case 0: return cells[UpstreamCells.offsetOfAbandoned].increase()
        case 1: return cells[0].increase()
        case let digit: cells[min(Int(digit), 5) - 1].increase()
        }
        HistogramCells(cells + UpstreamCells.offsetOfDurations).record(duration)
    }

    fileprivate var snapshot: UpstreamMeasures {
        var measures = UpstreamMeasures()
        for index in measures.responses.indices { measures.responses[index] = cells[index].load(ordering: .relaxed) }
        measures.retries = cells[UpstreamCells.offsetOfRetries].load(ordering: .relaxed)
        measures.abandoned = cells[UpstreamCells.offsetOfAbandoned].load(ordering: .relaxed)
        measures.bytesReceived = cells[UpstreamCells.offsetOfReceived].load(ordering: .relaxed)
        measures.bytesSent = cells[UpstreamCells.offsetOfSent].load(ordering: .relaxed)
        measures.durations = HistogramCells(cells + UpstreamCells.offsetOfDurations).snapshot
        return measures
    }
}

/// What lasts of an upstream over configuration changes: where its round robin stands, and what its workers count.
final class UpstreamRuntime: @unchecked Sendable {
    /// Shared by all workers.
    let cursor: UnsafeMutablePointer<Atomic<Int>>
    /// The base for `UpstreamCells`.
    let cells: UnsafeMutablePointer<Atomic<UInt64>>
    private let workers: Int

    init(firstStep: Int, workers: Int) {
        self.workers = workers
        cursor = .allocate(capacity: 1)
        cursor.initialize(to: Atomic(firstStep))
        let count = workers * UpstreamCells.count
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<UInt64>.stride, alignment: 64)
        cells = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for index in 0..<count { (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        cursor.deinitialize(count: 1)
        cursor.deallocate()
        cells.deinitialize(count: workers * UpstreamCells.count)
        UnsafeMutableRawPointer(cells).deallocate()
    }

    /// Of all workers.
    var measures: UpstreamMeasures {
        var total = UpstreamMeasures()
        for worker in 0..<workers { total.add(UpstreamCells(cells, worker: worker).snapshot) }
        return total
    }
}
