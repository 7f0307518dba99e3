import Posix
import Synchronization

/// How many requests a node has under way at an upstream with limits, and which wait: shared by its workers.
///
/// A request that ends makes room and calls the first of the line, whichever worker that belongs to. So none overtakes
/// another, and none waits while there is room.
struct UpstreamGate: ~Copyable {
    private let underWay = Atomic<Int>(0)
    private let line = Mutex(WaitingLine())
    /// As many as are in the line.
    private let waitingCount = Atomic<Int>(0)
    /// Requests that found the line full, and those that left it with the end of their time.
    let refused = Atomic<UInt64>(0)
    let timedOut = Atomic<UInt64>(0)

    init() {}

    @inline(__always)
    var waiting: Int { waitingCount.load(ordering: .relaxed) }

    /// Takes room for one request; false when there is none.
    borrowing func enter(_ limits: LoadLimits) -> Bool {
        guard underWay.add(1, ordering: .relaxed).newValue > limits.requests ?? .max else { return true }
        underWay.subtract(1, ordering: .relaxed)
        return false
    }

    borrowing func leave() { underWay.subtract(1, ordering: .relaxed) }

    borrowing func hasRoom(_ limits: LoadLimits) -> Bool {
        underWay.load(ordering: .relaxed) < limits.requests ?? .max
    }

    /// Lets a request wait; nil when too many do.
    borrowing func wait(worker: Int, client: Slot, _ limits: LoadLimits) -> WaitingLine.Waiter? {
        let waiter = withLine { $0.enter(worker: worker, client: client, limit: limits.queue) }
        if waiter == nil { refused.add(1, ordering: .relaxed) }
        return waiter
    }

    /// One that was called found no room.
    borrowing func waitOn(_ waiter: WaitingLine.Waiter) { withLine { $0.goBack(waiter) } }

    borrowing func giveUp(_ ticket: UInt64) { _ = withLine { $0.leave(ticket) } }

    /// The next one, if any waits. Whoever made room must ask after that, whoever waits must look for room after that:
    /// the fences keep both from missing each other.
    borrowing func call() -> WaitingLine.Waiter? {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return waiting == 0 ? nil : withLine { $0.call() }
    }

    private borrowing func withLine<Result: Sendable>(_ body: (inout WaitingLine) -> Result) -> Result {
        let result = line.withLock { line in
            defer { waitingCount.store(line.count, ordering: .relaxed) }
            return body(&line)
        }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return result
    }
}
