import Posix

/// What a node knows and does as the leader of its term.
struct Leadership: Hashable, Sendable {
    /// Every other member, sorted by id, then those that were removed and are still to be told.
    var peers: [Progress]
    /// The newest round of heartbeats sent.
    var stamp = HeartbeatStamp.never
    var heartbeatDue: Instant
    /// A round is wanted with the next `ready()`: reads wait for it, or leadership is new.
    var heartbeatWanted = true
    /// When the members have to know of the newest commit.
    var commitNoticeDue = Instant.distantFuture
    let electedAt: Instant
    /// Until then an earlier leader's lease may last: nothing is committed, claimed or read.
    let claimableFrom: Instant
    /// Who led before, where it is known that nobody led in between: nothing that it used is used after `claimableFrom`.
    let predecessor: NodeID?
    /// Nothing was granted after that by earlier leaders, or a former process of this one.
    var inheritedFrom: Instant
    /// A former process of this node led in this term until it was replaced.
    var isContinued = false
    /// A surrendered lease is final: it does not come back in this term.
    var leaseSurrendered = false
    /// The no-op that begins the term. Nothing is read before it is committed (etcd#7331).
    let firstOfTerm: LogIndex
    var uncommittedWeight: Int
    var handover: Handover?
    var longLease: LongLease?
    /// In the order of their rounds.
    var waitingReads: [WaitingRead] = []

    init(log: RaftLog, commit: LogIndex, self id: NodeID, claimableFrom: Instant, predecessor: NodeID?, now: Instant) {
        firstOfTerm = log.last.index.next
        peers = log.membership.everyone.filter { $0 != id }.map { Progress(id: $0, next: log.last.index.next) }
        heartbeatDue = now
        electedAt = now
        self.claimableFrom = claimableFrom
        self.predecessor = predecessor
        inheritedFrom = claimableFrom
        uncommittedWeight = log.entries(commit.next, through: log.last.index).reduce(0) { $0 + $1.weight }
    }

    func nextDeadline(now: Instant, commit: LogIndex, last: LogIndex) -> Instant {
        var deadline = min(heartbeatDue, commitNoticeDue)
        if commit < last && claimableFrom > now { deadline = min(deadline, claimableFrom) }
        if let handover { deadline = min(deadline, handover.deadline) }
        for peer in peers { deadline = min(deadline, peer.lending.nextEnd) }
        return deadline
    }

    func index(of peer: NodeID) -> Int? { peers.firstIndex { $0.id == peer } }

    func progress(of peer: NodeID) -> Progress? { peers.first { $0.id == peer } }

    /// The newest round that `node` acknowledged; the leader itself acknowledges each as it is sent.
    func acknowledged(by node: NodeID, self id: NodeID) -> HeartbeatStamp {
        node == id ? stamp : progress(of: node)?.acknowledged ?? .never
    }
}

/// The leader's clockwork: heartbeats, check-quorum and deadlines.
extension Raft {
    mutating func tickLeader() {
        forgetOldPromise()
        guard hearsQuorum else { return becomeFollower(in: term, of: nil) }
        if let handover = leadership?.handover, now >= handover.deadline { return endOverdue(handover) }
        if let due = leadership?.heartbeatDue, now >= due { leadership?.heartbeatWanted = true }
        if let peers = leadership?.peers {
            for position in peers.indices where peers[position].isOverdue(at: now) {
                leadership?.peers[position].probe(from: peers[position].matched.next)
            }
        }
        dismissDeparted()
        advanceCommit()
        continueMembershipChange()
        serveWaitingReads()
    }

    /// Check-quorum: whether a majority acknowledged a heartbeat sent within the shortest election timeout. A leader
    /// that only sends, or is kept alive through others, steps down (openraft#2080).
    var hearsQuorum: Bool {
        guard let leadership else { return false }
        let acknowledged = membership.majorityValue { leadership.acknowledged(by: $0, self: id).sentAt }
        guard let acknowledged else { return false }
        if let end = longLeaseEnd, now < end { return true }
        return now - max(acknowledged, leadership.electedAt) <= timing.electionMinimum
    }

    mutating func sendWantedHeartbeats() {
        guard var leadership, leadership.heartbeatWanted else { return }
        leadership.heartbeatWanted = false
        leadership.heartbeatDue = now + timing.heartbeat
        leadership.stamp = HeartbeatStamp(round: leadership.stamp.round + 1, sentAt: now)
        for position in leadership.peers.indices { leadership.peers[position].sentCommit = commit }
        self.leadership = leadership
        for (position, peer) in leadership.peers.enumerated() {
            let grant = grant(to: position, round: leadership.stamp.round)
            let heartbeat = Heartbeat(term: term, stamp: leadership.stamp, commit: commit, grant: grant)
            send(.heartbeat(heartbeat), to: peer.id)
        }
        serveWaitingReads()
    }

    mutating func handleHeartbeatReply(_ reply: HeartbeatReply, from sender: NodeID) {
        guard let position = leadership?.index(of: sender), reply.term == term else { return }
        guard let sent = leadership?.stamp, reply.stamp <= sent else { return }
        leadership?.peers[position].lastContact = now
        leadership?.peers[position].acknowledge(reply.stamp)
        if let statement = reply.borrower { leadership?.peers[position].lending.heard(statement, at: now) }
        leadership?.peers[position].heard(matched: reply.matched)
        noteMatch(reply.matched, of: position, byAppend: false)
        serveWaitingReads()
    }
}
