import Posix

/// The last sign of life from a leader.
struct LeaderContact: Hashable, Sendable {
    var leader: NodeID?
    /// Nil: none since the start, at which one may have been forgotten.
    var term: Term?
    var at: Instant
    /// There is proof that this leader's process is gone.
    var isGone = false
}

/// Leases (dissertation, section 6.4.1, counted from the sending of heartbeats).
///
/// A leader's lease ends `lease` after it sent the newest heartbeat that a majority acknowledged. Any later leader
/// has a vote from one of that majority, whose contact is not older than that heartbeat was sent; it waits until
/// `leaseGuard` after every granting voter's contact before it commits, claims or reads anything. So the wait, not
/// the refusal of votes, is what keeps two leases apart; the refusal keeps a healthy leader undisturbed.
extension Raft {
    /// Only at a leader that has not given it up.
    package var lease: Lease? {
        guard let leadership, !leadership.leaseSurrendered else { return nil }
        let acknowledged = membership.majorityValue { leadership.acknowledged(by: $0, self: id) }
        guard let acknowledged, acknowledged > .never else {
            return longLeaseEnd.map { Lease(term: term, validUntil: $0, claimableFrom: leadership.claimableFrom) }
        }
        var lease = Lease(
            term: term, validUntil: acknowledged.sentAt + timing.lease, claimableFrom: leadership.claimableFrom)
        if let end = longLeaseEnd { lease.validUntil = max(lease.validUntil, end) }
        return lease
    }

    var contactAge: ContactAge {
        var age = ContactAge(term: contact.term, age: now - contact.at, newest: newestLed, memory: now - startedAt)
        if let promise = livingPromise { (age.promised, age.promisedFor) = (promise.term, promise.until - now) }
        return age
    }

    mutating func noteContact(with leader: NodeID) {
        contact = LeaderContact(leader: leader, term: term, at: now)
        forgetOldPromise()
        newestLed = max(newestLed, term)
        electionDeadline = drawElectionDeadline()
    }

    /// Whether votes are refused because a leader is, or may be, alive and in possession of a lease.
    func hearsLeader(knowing request: VoteRequest) -> Bool {
        if leadership != nil { return true }
        let released = max(releasedThrough, request.releasedThrough)
        if let promise = livingPromise, promise.term > released, !contact.isGone { return true }
        guard now - contact.at < timing.leaseGuard else { return false }
        guard let term = contact.term else { return true }
        return !contact.isGone && term > released
    }

    /// When the lease that a voter's contact may stand for is over; nil when it has been given up.
    func leaseFree(after contact: ContactAge) -> Instant? {
        let promise = contact.promised > releasedThrough ? now + contact.promisedFor : nil
        if let term = contact.term, term <= releasedThrough { return promise }
        return max(now + (timing.leaseGuard - contact.age), promise ?? .zero)
    }

    mutating func handleLeaseReleased(_ released: LeaseReleased, from sender: NodeID) {
        releasedThrough = max(releasedThrough, released.term)
        guard leadership == nil, released.term == term, leader == sender else { return }
        leader = nil
        campaignSoon(after: sender, steps: 1)
    }
}
