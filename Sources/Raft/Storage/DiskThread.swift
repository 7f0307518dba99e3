import CLinux
import Glibc
import Posix
import Synchronization

/// The thread that writes: it makes everything that waits durable with one sync, and says so.
package final class DiskThread<D: Disk>: Sendable {
    package enum Job: Sendable {
        case write(WriteTicket)
        /// Encodes and saves the applied state; the snapshot comes without it.
        case snapshot(Snapshot, state: @Sendable () -> [UInt8])
        case peers(PeerRegistry)
        case stop
    }

    package enum Completion: Sendable {
        /// This ticket and all before it are durable.
        case written(through: WriteTicket.ID)
        case snapshotSaved(Snapshot)
        /// Nothing is written any more.
        case failed(StorageError)
    }

    /// Tickets that may wait. A disk that is this far behind has failed in all but name.
    private static var capacity: Int { 1 << 16 }

    private let storage: Mutex<NodeStorage<D>>
    private let jobs: Mailbox<Job>
    private let deliver: @Sendable (Completion) -> Void
    private let thread: Mutex<Thread?>

    /// `deliver` is called on the disk thread.
    package init(
        _ storage: consuming sending NodeStorage<D>, deliver: @escaping @Sendable (Completion) -> Void
    ) throws(SystemError) {
        self.storage = Mutex(storage)
        self.deliver = deliver
        jobs = try Mailbox(capacity: Self.capacity)
        thread = Mutex(nil)
    }

    package func start() throws(SystemError) {
        let started = try Thread(name: "disk") { self.run() }
        thread.withLock { $0 = started }
    }

    /// False when too many jobs wait: the disk has to be given up.
    package func submit(_ job: Job) -> Bool { jobs.post(job) }

    /// Finishes what was submitted before and returns when the thread has ended.
    package func stop() {
        jobs.post(.stop)
        thread.withLock { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }

    private func run() {
        var poll = pollfd(fd: jobs.descriptor, events: Int16(POLLIN), revents: 0)
        var isGoing = true
        while isGoing {
            _ = Glibc.poll(&poll, 1, -1)
            do throws(StorageError) {
                isGoing = try perform(jobs.drain())
            } catch {
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
            case .snapshot(var snapshot, let state):
                snapshot.state = state()
                try access { storage throws(StorageError) in try storage.save(snapshot) }
                deliver(.snapshotSaved(snapshot))
            case .peers(let registry):
                try access { storage throws(StorageError) in try storage.save(registry) }
            case .stop:
                return false
            }
        }
        try persist(&tickets)
        return true
    }

    private func persist(_ tickets: inout [WriteTicket]) throws(StorageError) {
        guard let last = tickets.last else { return }
        let batch = tickets
        try access { storage throws(StorageError) in try storage.persist(batch) }
        tickets = []
        deliver(.written(through: last.id))
    }

    private func access(_ body: (inout NodeStorage<D>) throws(StorageError) -> Void) throws(StorageError) {
        try storage.withLock { (storage) throws(StorageError) in try body(&storage) }
    }
}
