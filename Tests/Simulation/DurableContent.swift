import Raft

/// What a disk has to hold: a model of storage, to which the real one is held.
struct DurableContent: Equatable, CustomStringConvertible {
    var hardState = HardState()
    var snapshot: Snapshot?
    /// Those after the snapshot.
    var entries: [Entry] = []

    /// Whether the entry is there, as itself or in a snapshot.
    func holds(_ position: LogPosition) -> Bool {
        if let snapshot, snapshot.index >= position.index { return true }
        guard let first = entries.first?.index, position.index >= first else { return false }
        let offset = position.index.number - first.number
        return offset < UInt64(entries.count) && entries[Int(offset)].term == position.term
    }

    /// The newest membership, which a node goes by once it has started from this; nil where only the founders are known.
    var membership: Membership? {
        for entry in entries.reversed() {
            if case .membership(let membership) = entry.payload { return membership }
        }
        return snapshot?.membership
    }

    mutating func store(_ ticket: WriteTicket) {
        if let hardState = ticket.hardState { self.hardState = hardState }
        if let snapshot = ticket.snapshot {
            self.snapshot = snapshot
            entries = []
        }
        store(ticket.entries)
    }

    /// A snapshot of the node's own state.
    mutating func keep(_ snapshot: Snapshot) {
        guard snapshot.index > self.snapshot?.index ?? .zero else { return }
        self.snapshot = snapshot
        let isContinued = entries.contains { $0.position == snapshot.position }
        entries = isContinued ? entries.filter { $0.index > snapshot.index } : []
    }

    /// What there may be when a write of the tickets was interrupted: each has up to three parts, done in this order.
    func possibleContents(afterPartOf tickets: [WriteTicket]) -> [DurableContent] {
        var all = [self]
        for ticket in tickets {
            var content = all[all.count - 1]
            if let hardState = ticket.hardState {
                content.hardState = hardState
                all.append(content)
            }
            if let snapshot = ticket.snapshot {
                content.snapshot = snapshot
                content.entries = []
                all.append(content)
            }
            if !ticket.entries.isEmpty {
                content.store(ticket.entries)
                all.append(content)
            }
        }
        return all
    }

    private mutating func store(_ new: [Entry]) {
        guard let first = new.first else { return }
        let kept = entries.first.map { max(0, Int(first.index.number) - Int($0.index.number)) } ?? 0
        entries.removeSubrange(min(kept, entries.count)...)
        entries += new
    }

    var description: String {
        let vote = hardState.vote.map { "for \($0)" } ?? "for nobody"
        let begin = snapshot.map { "a snapshot of \($0.state.count) bytes through \($0.position)" } ?? "no snapshot"
        return "term \(hardState.term) \(vote), \(begin), entries \(entries.map(\.position))"
    }
}
