/// Knows what the disk was asked to hold and what it holds. Writes finish in the order of their tickets.
struct WriteTracker: Hashable, Sendable {
    private struct Pending: Hashable, Sendable {
        var id: WriteTicket.ID
        var hardState: HardState?
        /// The part of this write that still is part of the log: cut when a later write replaces some of it, for then
        /// the entries that this one made durable are not those that the log holds, whatever their terms (ABA).
        var through: LogIndex
    }

    /// As it is on the disk.
    private(set) var durableHardState: HardState
    /// Through here the log in memory is on the disk.
    private(set) var durable: LogIndex
    /// The first entry that no ticket has carried.
    private var firstUnwritten: LogIndex
    private var unwrittenSnapshot: Snapshot?
    private var requestedHardState: HardState
    private var pending: [Pending] = []
    private var lastTicket: UInt64 = 0

    init(recovered hardState: HardState, log: RaftLog) {
        durableHardState = hardState
        requestedHardState = hardState
        durable = log.last.index
        firstUnwritten = log.last.index.next
    }

    /// Whether all that was asked of the disk about term, vote and promise is done.
    func isDurable(_ hardState: HardState) -> Bool {
        durableHardState == hardState && pending.allSatisfy { $0.hardState == nil }
    }

    /// The log from `index` on is about to be replaced.
    mutating func truncated(from index: LogIndex) {
        durable = min(durable, index.previous)
        firstUnwritten = min(firstUnwritten, index)
        for position in pending.indices { pending[position].through = min(pending[position].through, index.previous) }
    }

    /// The log now begins after `snapshot`.
    mutating func restarted(from snapshot: Snapshot) {
        durable = .zero
        firstUnwritten = snapshot.index.next
        unwrittenSnapshot = snapshot
        for position in pending.indices { pending[position].through = .zero }
    }

    /// What has to be written since the last ticket.
    mutating func nextTicket(hardState: HardState, log: RaftLog) -> WriteTicket? {
        let changed = hardState == requestedHardState ? nil : hardState
        let entries = log.entries(firstUnwritten, through: log.last.index)
        guard changed != nil || unwrittenSnapshot != nil || !entries.isEmpty else { return nil }
        lastTicket += 1
        let id = WriteTicket.ID(lastTicket)
        let through = entries.isEmpty && unwrittenSnapshot == nil ? LogIndex.zero : log.last.index
        pending.append(Pending(id: id, hardState: changed, through: through))
        let ticket = WriteTicket(id: id, hardState: changed, snapshot: unwrittenSnapshot, entries: Array(entries))
        requestedHardState = hardState
        unwrittenSnapshot = nil
        firstUnwritten = log.last.index.next
        return ticket
    }

    mutating func finished(through ticket: WriteTicket.ID) {
        while let first = pending.first, first.id <= ticket {
            pending.removeFirst()
            if let hardState = first.hardState { durableHardState = hardState }
            durable = max(durable, first.through)
        }
    }
}
