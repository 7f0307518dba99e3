import Posix

/// What a node owes and knows as a follower in the present term.
struct Following: Hashable, Sendable {
    /// Through here the log is known to equal the leader's. What is committed always does (Leader Completeness).
    var matched: LogIndex
    /// What the leader was told of it.
    var acknowledged: LogIndex
    /// The leader waits for a reply that covers this index, even if it has been told before.
    var owedAcknowledgement: LogIndex?
    /// The newest round of heartbeats that was replied to.
    var answered = HeartbeatStamp.never
    var owedVote: OwedVote?
    /// When the wish for a long lease was sent that is granted once the promise is durable.
    var owedGrant: Instant?
    var receiving: SnapshotReceiving?

    init(matched: LogIndex) {
        self.matched = matched
        acknowledged = matched
    }
}

struct OwedVote: Hashable, Sendable {
    var candidate: NodeID
    var attempt: UInt64
}

/// Heartbeats and appends at a follower (Raft paper, section 5.3).
extension Raft {
    /// True when `sender` is the leader of this term; an outdated leader is told the newer term.
    mutating func accepts(leaderOf term: Term, _ sender: NodeID) -> Bool {
        guard term == self.term else {
            send(.newerTerm(NewerTerm(term: self.term)), to: sender)
            return false
        }
        guard leadership == nil else { return false }
        becomeFollower(in: term, of: sender)
        noteContact(with: sender)
        return true
    }

    /// Replied to at once, for the leader's lease must not wait for a disk. One of a round that was replied to only
    /// tells of a commit.
    mutating func handleHeartbeat(_ heartbeat: Heartbeat, from sender: NodeID) {
        guard accepts(leaderOf: heartbeat.term, sender) else { return }
        commit(through: min(heartbeat.commit, following.matched))
        guard heartbeat.stamp > following.answered else { return }
        following.answered = heartbeat.stamp
        take(heartbeat.grant, round: heartbeat.stamp.round)
        sendHeartbeatReply(to: sender)
    }

    mutating func sendHeartbeatReply(to leader: NodeID) {
        let matched = min(following.matched, writes.durable)
        let reply = HeartbeatReply(term: term, stamp: following.answered, matched: matched, borrower: statement)
        send(.heartbeatReply(reply), to: leader)
    }

    mutating func handleAppendRequest(_ request: AppendRequest, from sender: NodeID) {
        guard accepts(leaderOf: request.term, sender), request.isWellFormed else { return }
        var previous = request.previous
        var entries = request.entries[...]
        if previous.index < commit {
            // The part that is committed here is the same at the leader, and may be compacted here.
            entries = entries.drop { $0.index <= commit }
            previous = LogPosition(term: log.term(at: commit) ?? .zero, index: commit)
            if let first = entries.first, first.index != commit.next { return }
        } else if !log.holds(previous) {
            let hint = log.lastPosition(atOrBefore: previous.index, term: previous.term)
            let outcome = AppendReply.Outcome.conflict(rejected: previous.index, hint: hint)
            return send(.appendReply(AppendReply(term: term, outcome: outcome)), to: sender)
        }
        store(entries)
        let matched = LogIndex(previous.index.number + UInt64(entries.count))
        following.matched = max(following.matched, matched)
        following.owedAcknowledgement = max(following.owedAcknowledgement ?? .zero, following.matched)
        commit(through: min(request.commit, following.matched))
    }

    /// Keeps what is there already and replaces the log from the first entry that differs, never more: an older
    /// message may arrive late.
    private mutating func store(_ entries: ArraySlice<Entry>) {
        guard let start = entries.firstIndex(where: { !log.holds($0.position) }) else { return }
        let first = entries[start].index
        if first <= log.last.index {
            writes.truncated(from: first)
            for entry in log.truncate(from: first) { failIfOwn(entry) }
        }
        for entry in entries[start...] { log.append(entry) }
    }

    private mutating func failIfOwn(_ entry: Entry) {
        if case .command(let proposal, _) = entry.payload, proposal.node == id { fail(proposal, .superseded) }
    }

    /// Tells the leader what is durable: once a turn, for all that came since.
    mutating func acknowledgeAppends() {
        guard let leader else { return }
        let durable = min(following.matched, writes.durable)
        let isOwed = following.owedAcknowledgement.map { durable >= $0 } ?? false
        guard isOwed || durable > following.acknowledged else { return }
        if isOwed { following.owedAcknowledgement = nil }
        following.acknowledged = durable
        send(.appendReply(AppendReply(term: term, outcome: .matched(durable))), to: leader)
    }
}

extension AppendRequest {
    /// Entries follow each other and `previous`, and their terms never fall and do not exceed the leader's.
    fileprivate var isWellFormed: Bool {
        var last = previous
        for entry in entries {
            guard entry.index == last.index.next, entry.term >= last.term, entry.term <= term else { return false }
            last = entry.position
        }
        return true
    }
}
