/// The log in memory: a snapshot's position, the entries since (and some before, for followers that trail), and the
/// memberships that they bring about.
struct RaftLog: Hashable, Sendable {
    /// A membership and the entry that it came with.
    struct MembershipRecord: Hashable, Sendable {
        var index: LogIndex
        var membership: Membership
    }

    /// The entry just before the first one in `entries`.
    private(set) var base = LogPosition.zero
    private(set) var entries: [Entry] = []
    private(set) var snapshot: Snapshot?
    /// The oldest one holds at `base`; never empty.
    private var memberships: [MembershipRecord]

    /// Drops entries that the snapshot covers, and all of them when they contradict it.
    init(recovered: RecoveredState) {
        snapshot = recovered.snapshot
        memberships = [MembershipRecord(index: .zero, membership: recovered.foundingMembership)]
        if let snapshot = recovered.snapshot {
            base = snapshot.position
            memberships = [MembershipRecord(index: snapshot.index, membership: snapshot.membership)]
        }
        let contradicts = recovered.entries.contains { $0.index == base.index && $0.term != base.term }
        if contradicts { return }
        for entry in recovered.entries where entry.index > base.index {
            if entry.index != last.index.next { return }
            append(entry)
        }
    }

    var last: LogPosition { entries.last?.position ?? base }

    /// The membership in force: the newest one in the log, committed or not (dissertation, section 4.1).
    var membership: Membership { memberships[memberships.count - 1].membership }
    var membershipIndex: LogIndex { memberships[memberships.count - 1].index }

    /// Not for an index before `base`.
    func membership(at index: LogIndex) -> Membership {
        (memberships.last { $0.index <= index } ?? memberships[0]).membership
    }

    func entry(at index: LogIndex) -> Entry? {
        index > base.index && index <= last.index ? entries[offset(of: index)] : nil
    }

    /// Nil where the log holds no entry or has been compacted.
    func term(at index: LogIndex) -> Term? {
        if index == base.index { return base.term }
        return entry(at: index)?.term
    }

    func holds(_ position: LogPosition) -> Bool { term(at: position.index) == position.term }

    /// The entries from `first` on, within both bounds but at least one where there is one.
    func entries(from first: LogIndex, count: Int, weight: Int) -> [Entry] {
        guard first > base.index && first <= last.index else { return [] }
        let start = offset(of: first)
        var end = start
        var total = 0
        while end < entries.count && end - start < count {
            total += entries[end].weight
            if total > weight && end > start { break }
            end += 1
        }
        return Array(entries[start..<end])
    }

    /// The entries from `first` through `last`, both in the log or empty.
    func entries(_ first: LogIndex, through last: LogIndex) -> ArraySlice<Entry> {
        first > last ? [] : entries[offset(of: first)...offset(of: last)]
    }

    /// The last position at or before `index` whose term is `term` at the most: no later entry can be in a log that
    /// has `term` at `index`. Terms never fall along a log, so halving finds it.
    func lastPosition(atOrBefore index: LogIndex, term: Term) -> LogPosition {
        guard index > base.index else { return base }
        var low = 0
        var high = entries.isEmpty ? 0 : offset(of: min(index, last.index)) + 1
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].term <= term { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? base : entries[low - 1].position
    }

    /// Whether some membership in force at `index` or later in the log gives `node` a vote.
    func givesVote(to node: NodeID, from index: LogIndex) -> Bool {
        memberships.indices.contains { position in
            let isLast = position == memberships.count - 1
            guard isLast || memberships[position + 1].index > index else { return false }
            return memberships[position].membership.isVoter(node)
        }
    }

    mutating func append(_ entry: Entry) {
        entries.append(entry)
        if case .membership(let membership) = entry.payload {
            memberships.append(MembershipRecord(index: entry.index, membership: membership))
        }
    }

    /// Removes the entries from `first` on and returns them. A membership among them is undone.
    mutating func truncate(from first: LogIndex) -> [Entry] {
        let start = offset(of: first)
        let removed = Array(entries[start...])
        entries.removeSubrange(start...)
        memberships.removeAll { $0.index >= first }
        return removed
    }

    /// Begins anew after a snapshot from the leader.
    mutating func restart(from snapshot: Snapshot) {
        self.snapshot = snapshot
        base = snapshot.position
        entries = []
        memberships = [MembershipRecord(index: snapshot.index, membership: snapshot.membership)]
    }

    /// Drops what `snapshot`, taken of the own state, covers, but for the last `retained` entries.
    mutating func compact(to snapshot: Snapshot, retaining retained: UInt64) {
        self.snapshot = snapshot
        let through = LogIndex(snapshot.index.number - min(snapshot.index.number, retained))
        guard through > base.index, let term = term(at: through) else { return }
        let held = membership(at: through)
        entries.removeSubrange(...offset(of: through))
        base = LogPosition(term: term, index: through)
        memberships.removeAll { $0.index <= through }
        memberships.insert(MembershipRecord(index: through, membership: held), at: 0)
    }

    private func offset(of index: LogIndex) -> Int { Int(index.number - base.index.number) - 1 }
}

extension Entry {
    package var position: LogPosition { LogPosition(term: term, index: index) }

    /// The bytes that it counts for against the limits, with something for its frame.
    var weight: Int {
        switch payload {
        case .noop: 64
        case .command(_, let bytes): 64 + bytes.count
        case .membership(let membership): 64 + 8 * membership.everyone.count
        }
    }
}

extension Snapshot {
    package var position: LogPosition { LogPosition(term: term, index: index) }
}
