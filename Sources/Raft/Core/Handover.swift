import Posix

/// A change of leadership on purpose.
struct Handover: Hashable, Sendable {
    /// Nil where no other voter is left to take over.
    var target: NodeID?
    var deadline: Instant
}

/// Transfer of leadership (dissertation, section 3.10), and stepping down, which is a transfer that waits for nobody.
///
/// 1. Proposals are refused until the target holds the whole log.
/// 2. The lease is surrendered for good; the host withdraws what is tied to it and calls `leaseWithdrawn`.
/// 3. Everyone is told that the lease is released, the target that it shall campaign, and this node follows.
extension Raft {
    /// Hands leadership to `target`, or to the voter that is closest behind. Proposals are refused meanwhile.
    /// Ends with `Ready.surrenderedLease` at this node, or is given up after an election timeout.
    package mutating func transferLeadership(to target: NodeID?, at now: Instant) throws(TransferRefusal) {
        advanceClock(to: now)
        guard let leadership else { throw .notLeader(leader: leader) }
        guard leadership.handover == nil else { throw .alreadyUnderWay }
        guard let heir = target ?? closestVoter, heir != id, membership.voters.contains(heir) else { throw .noTarget }
        let deadline = self.now + timing.electionMaximum
        self.leadership?.handover = Handover(target: heir, deadline: deadline)
        continueHandover()
    }

    /// Gives up lease and leadership at once (shutdown, stalled disk, lost carrier). No effect at a follower.
    package mutating func stepDown(at now: Instant) {
        advanceClock(to: now)
        guard let leadership, !leadership.leaseSurrendered else { return }
        let handover = Handover(target: closestVoter, deadline: self.now + timing.electionMaximum)
        self.leadership?.handover = handover
        surrenderLease()
    }

    /// Goes on once the target holds the whole log.
    mutating func continueHandover() {
        guard let leadership, let target = leadership.handover?.target, !leadership.leaseSurrendered else { return }
        guard leadership.progress(of: target)?.matched == log.last.index else { return }
        surrenderLease()
    }

    private mutating func surrenderLease() {
        leadership?.leaseSurrendered = true
        borrowed = nil
        output.surrenderedLease = term
    }

    /// What was tied to this term's lease has been withdrawn; others may be told so.
    package mutating func leaseWithdrawn(_ term: Term, at now: Instant) {
        advanceClock(to: now)
        guard let leadership, leadership.leaseSurrendered, term == self.term else { return }
        // A release speaks for all earlier leases too, which only a leader that has outwaited them may do.
        if now >= leadership.claimableFrom {
            releasedThrough = term
            for peer in leadership.peers { send(.leaseReleased(LeaseReleased(term: term)), to: peer.id) }
            if let target = leadership.handover?.target { send(.campaignNow(CampaignNow(term: term)), to: target) }
        }
        followOthers()
    }

    /// A target that does not catch up in time ends the transfer; a surrendered lease ends the term's leadership.
    mutating func endOverdue(_ handover: Handover) {
        if leadership?.leaseSurrendered == true {
            followOthers()
        } else {
            leadership?.handover = nil
        }
    }

    /// Leaves the others the time to elect one of them.
    private mutating func followOthers() {
        becomeFollower(in: term, of: nil)
        electionDeadline = electionDeadline + timing.electionMaximum
    }

    mutating func handleCampaignNow(_ order: CampaignNow, from sender: NodeID) {
        guard order.term == term, leadership == nil, contact.leader == sender else { return }
        releasedThrough = max(releasedThrough, order.term)
        guard mayCampaign, campaign?.kind != .vote else { return }
        startCampaign()
    }
}
