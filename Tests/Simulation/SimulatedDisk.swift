import Posix
import Raft

/// One node's disk: the real storage over a disk in memory, and beside it the model of what it has to hold.
struct SimulatedDisk {
    enum Job {
        case write(WriteTicket)
        case snapshot(Snapshot)
        case forget(before: LogIndex)
    }

    /// What a finished job means to the node.
    enum Finished {
        case nothing
        /// This ticket and all before it are durable.
        case written(WriteTicket.ID)
        /// The snapshot is now written beside all else.
        case snapshotBegun
    }

    /// How a process ends.
    enum Crash {
        /// The process alone: what it wrote is still there.
        case process
        /// The machine: what was not synchronised may be lost, in parts.
        case power
    }

    /// Small, so that segments change often.
    private static let segmentBytes = 1024
    /// Operations of an ordinary write, and of one that begins a new segment; one more for the end.
    private static let operationsOfJobs: [UInt64] = [3, 13]

    private let owner: NodeStorage<MemoryDisk>.Owner
    private let memory = MemoryDisk()
    private let storage = StorageBox()
    private(set) var pending: [Job] = []
    private(set) var snapshotUnderWay: Snapshot?
    /// Acknowledged to the core.
    private(set) var durable = DurableContent()
    /// What a restart may find; `durable` alone while the process runs.
    private var possible = [DurableContent()]
    /// Bits were flipped: the node may refuse to start.
    private(set) var isRotten = false

    init(node: NodeID) {
        owner = .init(
            cluster: "simulated", node: node, newIncarnation: 0x9E37_79B9_7F4A_7C15 &* node.number, created: "now")
    }

    mutating func queue(_ job: Job) { pending.append(job) }

    /// The memberships that a process started now might go by; nil for the founders.
    var possibleMemberships: Set<Membership?> {
        let tickets = pending.compactMap { job -> WriteTicket? in
            guard case .write(let ticket) = job else { return nil }
            return ticket
        }
        return Set(possible.flatMap { $0.possibleContents(afterPartOf: tickets) }.map(\.membership))
    }

    /// Does the oldest job, or up to `limit` writes with one sync.
    mutating func finish(upTo limit: Int) throws(StorageError) -> Finished {
        guard let first = pending.first else { return .nothing }
        switch first {
        case .snapshot(let snapshot):
            pending.removeFirst()
            snapshotUnderWay = snapshot
            return .snapshotBegun
        case .forget(let index):
            pending.removeFirst()
            try storage.forget(before: index)
            return .nothing
        case .write:
            let tickets = leadingTickets(limit)
            pending.removeFirst(tickets.count)
            possible = durable.possibleContents(afterPartOf: tickets)
            try storage.persist(tickets)
            for ticket in tickets { durable.store(ticket) }
            possible = [durable]
            return tickets.last.map { .written($0.id) } ?? .nothing
        }
    }

    /// The snapshot under way is durable: what it covers may go.
    mutating func finishSnapshot() throws(StorageError) -> Snapshot? {
        guard let snapshot = snapshotUnderWay else { return nil }
        snapshotUnderWay = nil
        var kept = durable
        kept.keep(snapshot)
        possible = [durable, kept]
        try storage.save(snapshot)
        durable = kept
        possible = [durable]
        queue(.forget(before: snapshot.index))
        return snapshot
    }

    /// The next operation of the disk fails, or one soon after it.
    func failSoon(_ random: inout SplitMix64) {
        memory.fail(after: Int(random.next() % 4), dropsPages: random.next() % 2 == 0)
    }

    /// Ends the process between any two operations of the disk: some jobs are done, one is done in part.
    mutating func crash(_ crash: Crash, _ random: inout SplitMix64) {
        let whole = Int(random.next() % UInt64(pending.count + 1))
        for _ in 0..<whole where !storage.hasFailed { _ = try? finish(upTo: 1) }
        interruptFirst(&random)
        memory.goOn()
        if let snapshot = snapshotUnderWay { interrupt(snapshot, &random) }
        storage.close()
        pending = []
        snapshotUnderWay = nil
        switch crash {
        case .process: break
        case .power: memory.losePower(.drawn(SplitMix64(seed: random.next())))
        }
    }

    private mutating func interrupt(_ snapshot: Snapshot, _ random: inout SplitMix64) {
        memory.stop(after: Int(random.next() % 8))
        storage.saveInterrupted(snapshot)
        memory.goOn()
        possible += possible.map { content in
            var kept = content
            kept.keep(snapshot)
            return kept
        }
    }

    private mutating func interruptFirst(_ random: inout SplitMix64) {
        guard let first = pending.first, !storage.hasFailed else { return }
        let operations = Self.operationsOfJobs[Int(random.next() % 2)]
        memory.stop(after: Int(random.next() % operations))
        switch first {
        case .snapshot: break
        case .forget(let index): try? storage.forget(before: index)
        case .write:
            let tickets = leadingTickets(1 + Int(random.next() % 4))
            possible += possible.flatMap { $0.possibleContents(afterPartOf: tickets) }
            try? storage.persist(tickets)
        }
    }

    private func leadingTickets(_ limit: Int) -> [WriteTicket] {
        var tickets: [WriteTicket] = []
        for job in pending.prefix(limit) {
            guard case .write(let ticket) = job else { break }
            tickets.append(ticket)
        }
        return tickets
    }

    enum Start {
        case started(RecoveredState)
        /// The process was ended while it was starting.
        case interrupted
        /// Damage was noticed; only right where there is some.
        case refused(StorageError)
        /// The disk holds something that it can not hold.
        case wrong(String)
    }

    /// Opens the storage as a new process does; that may be ended at any operation in its turn, or fail there.
    mutating func start(founding: Membership, interrupted: Bool, _ random: inout SplitMix64) -> Start {
        if interrupted {
            let operations = Int(random.next() % 12)
            if random.next() % 2 == 0 { memory.stop(after: operations) } else { memory.fail(after: operations) }
        }
        var recovered = NodeStorage<MemoryDisk>.Recovered()
        do throws(StorageError) {
            try storage.open(memory, owner: owner, segmentBytes: Self.segmentBytes, into: &recovered)
        } catch {
            if case .damaged = error, isRotten { return .refused(error) }
            guard interrupted else { return .wrong("refuses to start: \(error)") }
            memory.goOn()
            if random.next() % 2 == 0 { memory.losePower(.drawn(SplitMix64(seed: random.next()))) }
            return .interrupted
        }
        memory.goOn()
        let found = DurableContent(
            hardState: recovered.hardState, snapshot: recovered.snapshot, entries: recovered.entries)
        guard possible.contains(found) else { return .wrong("found \(found) where one of \(possible) was written") }
        durable = found
        possible = [found]
        return .started(
            RecoveredState(
                hardState: found.hardState, snapshot: found.snapshot, entries: found.entries,
                foundingMembership: founding))
    }

    /// Flips a bit of one of the files, while no process runs; often one of those that were written last.
    mutating func rot(_ random: inout SplitMix64) {
        isRotten = true
        if random.next() % 2 == 0, let newest = memory.newestWrite {
            let offset = newest.range.lowerBound + Int(random.next() % UInt64(newest.range.count))
            return memory.flip(bit: Int(random.next() % 8), ofByte: offset, in: newest.path)
        }
        let paths = memory.paths
        guard !paths.isEmpty else { return }
        let path = paths[Int(random.next() % UInt64(paths.count))]
        let size = UInt64(memory.size(of: path))
        guard size > 0 else { return }
        memory.flip(bit: Int(random.next() % 8), ofByte: Int(random.next() % size), in: path)
    }
}

/// Holds the storage of a running process, which can not be copied.
private final class StorageBox {
    private var storage: NodeStorage<MemoryDisk>?
    /// Either thread failed: neither writes any more.
    private(set) var hasFailed = false

    func open(
        _ disk: MemoryDisk, owner: NodeStorage<MemoryDisk>.Owner, segmentBytes: Int,
        into recovered: inout NodeStorage<MemoryDisk>.Recovered
    ) throws(StorageError) {
        hasFailed = false
        storage = try NodeStorage.open(
            "/data", disk: disk, owner: owner, options: .init(segmentBytes: segmentBytes), into: &recovered)
    }

    func close() { storage = nil }

    func persist(_ tickets: [WriteTicket]) throws(StorageError) {
        try guarded { (self) throws(StorageError) in try self.storage?.persist(tickets) }
    }

    func forget(before index: LogIndex) throws(StorageError) {
        try guarded { (self) throws(StorageError) in try self.storage?.forget(before: index) }
    }

    func save(_ snapshot: Snapshot) throws(StorageError) {
        try guarded { (self) throws(StorageError) in try self.storage?.snapshots.save(snapshot) }
    }

    /// The process ends meanwhile, so a failure is not noticed any more.
    func saveInterrupted(_ snapshot: Snapshot) { try? storage?.snapshots.save(snapshot) }

    private func guarded(_ body: (StorageBox) throws(StorageError) -> Void) throws(StorageError) {
        do throws(StorageError) { try body(self) } catch {
            hasFailed = true
            throw error
        }
    }
}
