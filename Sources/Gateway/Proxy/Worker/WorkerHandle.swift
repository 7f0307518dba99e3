import Posix
import Synchronization

/// What a worker shares with other threads.
final class WorkerHandle: @unchecked Sendable {
    /// Commands that may wait.
    private static let mailboxCapacity = 4096

    /// From 0, among the workers of the pool.
    let index: Int
    let mailbox: Mailbox<WorkerCommand>
    /// Written by the worker only.
    let counters: UnsafeMutablePointer<WorkerCounters>
    /// The oldest routing table in use, 0 before the first.
    let oldestGeneration = Atomic<UInt64>(0)
    /// Its thread serves nobody any more.
    let hasEnded = Atomic(false)

    init(index: Int) throws(SystemError) {
        self.index = index
        mailbox = try Mailbox(capacity: WorkerHandle.mailboxCapacity)
        counters = .allocate(capacity: 1)
        counters.initialize(to: WorkerCounters())
    }

    deinit {
        counters.deinitialize(count: 1)
        counters.deallocate()
    }
}
