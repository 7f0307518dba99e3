import Raft

/// What survives a crash, and the writes that may not.
struct SimulatedDisk {
    enum Job {
        case write(WriteTicket)
        case snapshot(Snapshot)
    }

    /// As a restart finds it.
    private(set) var hardState = HardState()
    private(set) var snapshot: Snapshot?
    private(set) var entries: [Entry] = []
    private(set) var pending: [Job] = []

    mutating func queue(_ job: Job) { pending.append(job) }

    /// The oldest job becomes durable.
    mutating func finishFirst() -> Job {
        let job = pending.removeFirst()
        store(job)
        return job
    }

    /// The machine loses its power: of the pending jobs, done in order, only the first `kept` were done.
    mutating func crash(keeping kept: Int) {
        for job in pending.prefix(kept) { store(job) }
        pending = []
    }

    func recovered(founding membership: Membership) -> RecoveredState {
        RecoveredState(hardState: hardState, snapshot: snapshot, entries: entries, foundingMembership: membership)
    }

    /// Whether the entry is durable, as itself or in a snapshot.
    func holds(_ position: LogPosition) -> Bool {
        if let snapshot, snapshot.index >= position.index { return true }
        guard let first = entries.first?.index, position.index >= first else { return false }
        let offset = position.index.number - first.number
        return offset < UInt64(entries.count) && entries[Int(offset)].term == position.term
    }

    private mutating func store(_ job: Job) {
        switch job {
        case .write(let ticket): store(ticket)
        case .snapshot(let snapshot): if snapshot.index > self.snapshot?.index ?? .zero { keep(snapshot) }
        }
    }

    private mutating func store(_ ticket: WriteTicket) {
        if let hardState = ticket.hardState { self.hardState = hardState }
        if let snapshot = ticket.snapshot {
            self.snapshot = snapshot
            entries = []
        }
        if let first = ticket.entries.first {
            entries.removeAll { $0.index >= first.index }
            entries += ticket.entries
        }
    }

    private mutating func keep(_ snapshot: Snapshot) {
        self.snapshot = snapshot
        let isContinued = entries.contains { $0.position == snapshot.position }
        entries = isContinued ? entries.filter { $0.index > snapshot.index } : []
    }
}
