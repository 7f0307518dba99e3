import CLinux
import Glibc
import Posix
import Synchronization

/// The threads that write. One makes all tickets that wait durable with one sync, and says so. The other saves
/// snapshots of the node's own state, which may be big, so that no vote or entry waits behind one.
package final class DiskThread<D: Disk>: Sendable {
    package enum Job: Sendable {
        case write(WriteTicket)
        /// Encodes and saves the applied state; the snapshot comes without it. Begins when all that was submitted
        /// before is durable: on no disk a snapshot is ahead of the log, and of the term, that led to it.
        case snapshot(Snapshot, state: @Sendable () -> [UInt8])
        /// A snapshot through this index is durable: what it covers may go.
        case forget(before: LogIndex)
        case peers(PeerRegistry)
        case stop
    }

    private enum SnapshotJob: Sendable {
        case save(Snapshot, state: @Sendable () -> [UInt8])
        case stop
    }

    package enum Completion: Sendable {
        /// This ticket and all before it are durable.
        case written(through: WriteTicket.ID)
        /// The snapshot is durable: now the log before it may go, by the job `forget`.
        case snapshotSaved(Snapshot)
        /// Nothing is written any more.
        case failed(StorageError)
    }

    /// Tickets that may wait. A disk that is this far behind has failed in all but name.
    private static var capacity: Int { 1 << 16 }

    private let storage: Mutex<NodeStorage<D>>
    private let snapshots: SnapshotStore<D>
    private let jobs: Mailbox<Job>
    private let snapshotJobs: Mailbox<SnapshotJob>
    private let deliver: @Sendable (Completion) -> Void
    private let syncTimes: SharedHistogram
    /// A job of either thread failed: neither writes any more.
    private let hasFailed = Atomic(false)
    private let threads: Mutex<(writer: Thread?, saver: Thread?)>

    /// `deliver` is called on the disk threads. `syncTimes` gets how long each batch took until it was durable.
    package init(
        _ storage: consuming sending NodeStorage<D>, syncTimes: SharedHistogram = SharedHistogram(),
        deliver: @escaping @Sendable (Completion) -> Void
    ) throws(SystemError) {
        snapshots = storage.snapshots
        self.storage = Mutex(storage)
        self.deliver = deliver
        self.syncTimes = syncTimes
        jobs = try Mailbox(capacity: Self.capacity)
        snapshotJobs = try Mailbox(capacity: Self.capacity)
        threads = Mutex((nil, nil))
    }

    package func start() throws(SystemError) {
        let writer = try Thread(name: "disk") { [self] in
            run(jobs) { jobs throws(StorageError) in try perform(jobs) }
        }
        threads.withLock { $0.writer = writer }
        let saver = try Thread(name: "snapshot") { [self] in
            run(snapshotJobs) { jobs throws(StorageError) in try perform(jobs) }
        }
        threads.withLock { $0.saver = saver }
    }

    /// False when too many jobs wait: the disk has to be given up.
    package func submit(_ job: Job) -> Bool { jobs.post(job) }

    /// Finishes what was submitted before and returns when the threads have ended.
    package func stop() {
        let ending = threads.withLock { threads in
            defer { threads = (nil, nil) }
            return threads
        }
        jobs.post(.stop)
        ending.writer?.join()
        snapshotJobs.post(.stop)
        ending.saver?.join()
    }

    /// Performs jobs until told that the last one was among them, or until one fails.
    private func run<Item: Sendable>(
        _ mailbox: Mailbox<Item>, _ perform: ([Item]) throws(StorageError) -> Bool
    ) {
        var poll = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
        var isGoing = true
        while isGoing {
            _ = Glibc.poll(&poll, 1, -1)
            let items = mailbox.drain()
            if hasFailed.load(ordering: .acquiring) { return }
            do throws(StorageError) {
                isGoing = try perform(items)
            } catch {
                hasFailed.store(true, ordering: .releasing)
                deliver(.failed(error))
                return
            }
        }
    }

    /// Does the jobs in their order, neighbouring writes as one. False after the last job ever.
    private func perform(_ jobs: [Job]) throws(StorageError) -> Bool {
        var tickets: [WriteTicket] = []
        for job in jobs {
            if case .write(let ticket) = job {
                tickets.append(ticket)
                continue
            }
            try persist(&tickets)
            switch job {
            case .write: continue
            case .snapshot(let snapshot, let state):
                snapshotJobs.post(.save(snapshot, state: state))
            case .forget(let index):
                try access { storage throws(StorageError) in try storage.forget(before: index) }
            case .peers(let registry):
                try access { storage throws(StorageError) in try storage.save(registry) }
            case .stop:
                return false
            }
        }
        try persist(&tickets)
        return true
    }

    private func perform(_ jobs: [SnapshotJob]) throws(StorageError) -> Bool {
        for job in jobs {
            switch job {
            case .save(var snapshot, let state):
                snapshot.state = state()
                try snapshots.save(snapshot)
                deliver(.snapshotSaved(snapshot))
            case .stop:
                return false
            }
        }
        return true
    }

    private func persist(_ tickets: inout [WriteTicket]) throws(StorageError) {
        guard let last = tickets.last else { return }
        let batch = tickets
        let start = Instant.now()
        try access { storage throws(StorageError) in try storage.persist(batch) }
        syncTimes.record(.now() - start)
        tickets = []
        deliver(.written(through: last.id))
    }

    private func access(_ body: (inout NodeStorage<D>) throws(StorageError) -> Void) throws(StorageError) {
        try storage.withLock { (storage) throws(StorageError) in try body(&storage) }
    }
}
