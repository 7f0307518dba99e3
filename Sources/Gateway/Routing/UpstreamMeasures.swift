import Posix
import Synchronization

/// What was counted of the requests that were routed to one upstream, since the upstream came or the node began.
package struct UpstreamMeasures: Hashable, Sendable {
    /// Final responses by the first digit of their status, from 1xx (tunnels) to 5xx; made here or by a backend.
    package var responses: [UInt64] = [0, 0, 0, 0, 0]
    /// Attempts at a further backend.
    package var retries: UInt64 = 0
    /// Requests that were not repeated because the budget for that was spent.
    package var retriesRefused: UInt64 = 0
    /// Requests that a second backend got too, and those whose answer came from that.
    package var hedges: UInt64 = 0
    package var hedgesWon: UInt64 = 0
    /// Requests that wait for room now, that were refused because too many did, and that waited in vain.
    package var waiting = 0
    package var refused: UInt64 = 0
    package var waitedTooLong: UInt64 = 0
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
        retriesRefused &+= other.retriesRefused
        hedges &+= other.hedges
        hedgesWon &+= other.hedgesWon
        waiting += other.waiting
        refused &+= other.refused
        waitedTooLong &+= other.waitedTooLong
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
    private static let offsetOfHedges = 9
    private static let offsetOfHedgesWon = 10
    private static let offsetOfDurations = 11

    private let cells: UnsafeMutablePointer<Atomic<UInt64>>

    /// `base` is that of a `UpstreamRuntime`.
    @inline(__always)
    init(_ base: UnsafeMutablePointer<Atomic<UInt64>>, worker: Int) {
        cells = base + worker * UpstreamCells.count
    }

    @inline(__always)
    func countRetry() { cells[UpstreamCells.offsetOfRetries].increase() }

    func countHedge() { cells[UpstreamCells.offsetOfHedges].increase() }

    func countHedgeWon() { cells[UpstreamCells.offsetOfHedgesWon].increase() }

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

    /// Requests that are over.
    fileprivate var requests: Int {
        let finished = (0..<5).reduce(cells[UpstreamCells.offsetOfAbandoned].load(ordering: .relaxed)) {
            $0 &+ cells[$1].load(ordering: .relaxed)
        }
        return Int(finished)
    }

    fileprivate var snapshot: UpstreamMeasures {
        var measures = UpstreamMeasures()
        for index in measures.responses.indices { measures.responses[index] = cells[index].load(ordering: .relaxed) }
        measures.retries = cells[UpstreamCells.offsetOfRetries].load(ordering: .relaxed)
        measures.hedges = cells[UpstreamCells.offsetOfHedges].load(ordering: .relaxed)
        measures.hedgesWon = cells[UpstreamCells.offsetOfHedgesWon].load(ordering: .relaxed)
        measures.abandoned = cells[UpstreamCells.offsetOfAbandoned].load(ordering: .relaxed)
        measures.bytesReceived = cells[UpstreamCells.offsetOfReceived].load(ordering: .relaxed)
        measures.bytesSent = cells[UpstreamCells.offsetOfSent].load(ordering: .relaxed)
        measures.durations = HistogramCells(cells + UpstreamCells.offsetOfDurations).snapshot
        return measures
    }
}

/// What lasts of an upstream over configuration changes: where its round robin stands, what its workers count, and what
/// they decide together where requests fail.
final class UpstreamRuntime: @unchecked Sendable {
    /// Shared by all workers.
    let cursor: UnsafeMutablePointer<Atomic<Int>>
    /// The base for `UpstreamCells`.
    let cells: UnsafeMutablePointer<Atomic<UInt64>>
    private let workers: Int
    /// Both are asked only when a request failed.
    private let budget = Mutex(RetryBudget(at: .now()))
    private let outliers = Mutex(OutlierDetector())
    private let retriesRefused = Atomic<UInt64>(0)
    /// For upstreams with limits.
    let gate: UnsafeMutablePointer<UpstreamGate>

    init(firstStep: Int, workers: Int) {
        self.workers = workers
        gate = .allocate(capacity: 1)
        gate.initialize(to: UpstreamGate())
        cursor = .allocate(capacity: 1)
        cursor.initialize(to: Atomic(firstStep))
        let count = workers * UpstreamCells.count
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<UInt64>.stride, alignment: 64)
        cells = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for index in 0..<count { (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        gate.deinitialize(count: 1)
        gate.deallocate()
        cursor.deinitialize(count: 1)
        cursor.deallocate()
        cells.deinitialize(count: workers * UpstreamCells.count)
        UnsafeMutableRawPointer(cells).deallocate()
    }

    /// Of all workers.
    var measures: UpstreamMeasures {
        var total = UpstreamMeasures()
        for worker in 0..<workers { total.add(UpstreamCells(cells, worker: worker).snapshot) }
        total.retriesRefused = retriesRefused.load(ordering: .relaxed)
        total.waiting = gate.pointee.waiting
        total.refused = gate.pointee.refused.load(ordering: .relaxed)
        total.waitedTooLong = gate.pointee.timedOut.load(ordering: .relaxed)
        return total
    }

    /// Whether one more request may be repeated. `active`: those under way.
    func takeRetry(_ terms: RetryBudget.Terms, active: Int, at now: Instant) -> Bool {
        let finished = (0..<workers).reduce(0) { $0 + UpstreamCells(cells, worker: $1).requests }
        let isTaken = budget.withLock { $0.take(terms, requests: finished + active, at: now) }
        if !isTaken { retriesRefused.add(1, ordering: .relaxed) }
        return isTaken
    }

    /// The ejections that follow from a failed request, `inARow` of its backend. `tallies` is asked now and then.
    func ejections(
        after failure: PassiveFailure, of backend: UInt32, inARow count: Int, among backends: Int,
        _ policy: EjectionPolicy, at now: Instant, tallies: () -> [OutlierDetector.Tally]
    ) -> [OutlierDetector.Ejection] {
        outliers.withLock { detector in
            let one = detector.failed(backend, inARow: count, last: failure, among: backends, policy, at: now)
            let several = detector.isComparisonDue(at: now) ? detector.compare(tallies(), policy, at: now) : []
            return (one.map { [$0] } ?? []) + several
        }
    }
}
