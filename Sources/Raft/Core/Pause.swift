import Posix

/// A leader's wish for one long lease.
struct LongLease: Hashable, Sendable {
    let sentAt: Instant
    /// Who promised it, this node aside.
    var granted: Set<NodeID> = []
}

/// A long lease that this node promised not to cross.
struct LeasePromise: Hashable, Sendable {
    let term: Term
    /// When it can not last any more, on this node's clock.
    let until: Instant
}

/// What another process of the same node needs besides the disk, to go on as if nothing had happened.
package struct Continuation: Hashable, Sendable {
    package struct Leading: Hashable, Sendable {
        package var heartbeats: UInt64
        package var claimableFrom: Instant
        package var longLease: Instant
        package var granted: [NodeID]

        package init(heartbeats: UInt64, claimableFrom: Instant, longLease: Instant, granted: [NodeID]) {
            self.heartbeats = heartbeats
            self.claimableFrom = claimableFrom
            self.longLease = longLease
            self.granted = granted
        }
    }

    package var term: Term
    /// The end of the log, all of which is durable.
    package var last: LogPosition
    package var commit: LogIndex
    package var releasedThrough: Term
    /// Nil when the node did not lead, or had no long lease.
    package var leading: Leading?
    /// As whom the node borrows.
    package var boot: UInt64
    /// The newest heartbeat of the term that was replied to.
    package var answered: HeartbeatStamp
    package var borrowed: Borrowed?

    package init(
        term: Term, last: LogPosition, commit: LogIndex, releasedThrough: Term, leading: Leading?, boot: UInt64,
        answered: HeartbeatStamp, borrowed: Borrowed?
    ) {
        self.boot = boot
        self.answered = answered
        self.borrowed = borrowed
        self.term = term
        self.last = last
        self.commit = commit
        self.releasedThrough = releasedThrough
        self.leading = leading
    }
}

/// The planned pause of a node, in which another process takes the place of its present one.
///
/// To the others it is a process that was stopped for a while, as any may be. A leader would lose its lease in that time,
/// so it asks the voters for one of `Timing.pause` before. A voter makes durable that it promised one: heartbeats bind
/// it for less time than it needs to restart, this lease binds it for longer. Whoever is elected later waits for it as for
/// any lease, by what the voters tell.
///
/// The former process writes nothing once it has told its continuation, and no two processes are given the same one. So
/// the next one goes on in the same term: its log is the same, and what it forgets of the others it learns anew.
extension Raft {
    /// Asks for a long lease, which `status.pauseEnd` tells of when a majority has promised it.
    package mutating func prepareToPause(at now: Instant) {
        advanceClock(to: now)
        guard let leadership, leadership.handover == nil, now >= leadership.claimableFrom else { return }
        self.leadership?.longLease = LongLease(sentAt: self.now)
        let wish = Message.leaseWish(LeaseWish(term: term, sentAt: self.now))
        for peer in leadership.peers where peer.departure == nil { send(wish, to: peer.id) }
    }

    /// The end of the long lease that a majority promised.
    var longLeaseEnd: Instant? {
        guard let wish = leadership?.longLease, leadership?.leaseSurrendered == false else { return nil }
        guard membership.hasMajority(where: { $0 == id || wish.granted.contains($0) }) else { return nil }
        return wish.sentAt + timing.pause
    }

    /// What the next process of this node goes on from, once everything that the core wanted written is durable; nil when
    /// it is not. This process must not use the core again.
    package var continuation: Continuation? {
        guard writes.durable == log.last.index, writes.isDurable(hardState) else { return nil }
        var continuation = Continuation(
            term: term, last: log.last, commit: commit, releasedThrough: releasedThrough, leading: nil, boot: boot,
            answered: following.answered, borrowed: borrowed)
        if let leadership, let wish = leadership.longLease, longLeaseEnd != nil, leadership.handover == nil {
            continuation.leading = Continuation.Leading(
                heartbeats: leadership.stamp.round, claimableFrom: leadership.claimableFrom, longLease: wish.sentAt,
                granted: wish.granted.sorted())
        }
        return continuation
    }

    /// Goes on from there, if the disk holds the log that it speaks of; otherwise this is a start like any other.
    mutating func resume(_ continuation: Continuation) {
        guard term == continuation.term, log.last == continuation.last, continuation.commit <= log.last.index else {
            return
        }
        commit = max(commit, continuation.commit)
        following = Following(matched: commit)
        releasedThrough = continuation.releasedThrough
        boot = continuation.boot
        // A grant that was under way must not replace a newer one that the former process had taken.
        following.answered = continuation.answered
        borrowed = continuation.borrowed
        guard let leading = continuation.leading else { return }
        leader = id
        var leadership = Leadership(
            log: log, commit: commit, self: id, claimableFrom: leading.claimableFrom, predecessor: nil,
            now: now)
        // The former process may have granted something until it ended.
        leadership.inheritedFrom = now
        leadership.isContinued = true
        leadership.stamp = HeartbeatStamp(round: leading.heartbeats, sentAt: .zero)
        leadership.longLease = LongLease(sentAt: leading.longLease, granted: Set(leading.granted))
        self.leadership = leadership
        // With it the others learn where the logs meet, as from a leader that was just elected.
        appendAsLeader(.noop)
    }

    // MARK: At a voter

    /// The promise that may still bind this node.
    var livingPromise: LeasePromise? { promise.flatMap { now < $0.until ? $0 : nil } }

    mutating func handleLeaseWish(_ wish: LeaseWish, from sender: NodeID) {
        guard accepts(leaderOf: wish.term, sender) else { return }
        promise = LeasePromise(term: term, until: now + timing.pauseGuard)
        hardState.promised = term
        electionDeadline = drawElectionDeadline()
        following.owedGrant = wish.sentAt
        sendOwedGrant()
    }

    mutating func sendOwedGrant() {
        // A promise can be forgotten and made again: the same state may be about to be written twice, with another between.
        guard let sentAt = following.owedGrant, let leader, writes.isDurable(hardState) else { return }
        following.owedGrant = nil
        send(.leaseGrant(LeaseGrant(term: term, sentAt: sentAt)), to: leader)
    }

    mutating func handleLeaseGrant(_ grant: LeaseGrant, from sender: NodeID) {
        guard grant.term == term, leadership?.longLease?.sentAt == grant.sentAt else { return }
        leadership?.longLease?.granted.insert(sender)
    }

    /// Once it is over, nobody who restarts is to wait for it.
    mutating func forgetOldPromise() {
        guard hardState.promised > .zero, livingPromise == nil else { return }
        promise = nil
        hardState.promised = .zero
    }
}
