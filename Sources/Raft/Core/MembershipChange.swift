import Posix

/// Changes of the members: one at a time, through a joint configuration where voters change (dissertation,
/// sections 4.1 and 4.3). A membership takes effect when it is appended and is undone when it is truncated.
extension Raft {
    package mutating func changeMembership(
        _ change: MembershipChange, at now: Instant
    ) throws(MembershipRefusal) {
        advanceClock(to: now)
        guard leadership != nil else { throw .notLeader(leader: leader) }
        guard membershipIsSettled else { throw .changeUnderWay }
        append(try membership(after: change))
    }

    /// One change at a time, and none before this term's first commit: it could overlap one of an earlier leader
    /// (raft-dev, July 2015).
    private var membershipIsSettled: Bool {
        guard let leadership, leadership.handover == nil, commit >= leadership.firstOfTerm else { return false }
        return !membership.isJoint && log.membershipIndex <= commit
    }

    private func membership(after change: MembershipChange) throws(MembershipRefusal) -> Membership {
        var new = membership
        switch change {
        case .addLearner(let node):
            try checkRoom(for: node)
            new.learners = (new.learners + [node]).sorted()
        case .addVoter(let node):
            try checkRoom(for: node)
            new.joining = (new.joining + [node]).sorted()
        case .promote(let node):
            guard membership.contains(node), !membership.isVoter(node) else { throw .notMember }
            guard hasCaughtUp(node) else { throw .notCaughtUp }
            new = membership(promoting: node)
        case .remove(let node):
            guard membership.contains(node) else { throw .notMember }
            new = membership.without(node)
            guard !new.voters.isEmpty else { throw .lastVoter }
            if new.voters != membership.voters { new.outgoingVoters = membership.voters }
        }
        return new
    }

    private func checkRoom(for node: NodeID) throws(MembershipRefusal) {
        if membership.contains(node) { throw .alreadyMember }
        if membership.everyone.count >= limits.members { throw .tooManyMembers }
    }

    private func membership(promoting node: NodeID) -> Membership {
        var new = membership.without(node)
        new.outgoingVoters = new.voters
        new.voters = (new.voters + [node]).sorted()
        return new
    }

    /// Alive, and within one message of what is committed: a quorum that needs it will not have to wait.
    private func hasCaughtUp(_ node: NodeID) -> Bool {
        guard let peer = leadership?.progress(of: node), peer.matched > .zero else { return false }
        let isNear = peer.matched.number + UInt64(limits.messageEntries) >= commit.number
        return isNear && now - peer.lastContact <= timing.electionMinimum
    }

    /// Leaves a joint configuration once it is committed, also one that an earlier leader began; makes voters of those
    /// that join and have caught up; a leader that is no voter any more leaves once that is committed.
    mutating func continueMembershipChange() {
        guard let leadership, commit >= leadership.firstOfTerm, log.membershipIndex <= commit else { return }
        if membership.isJoint {
            var new = membership
            new.outgoingVoters = []
            append(new)
        } else if !membership.isVoter(id) {
            stepDown(at: now)
        } else if membershipIsSettled, let node = membership.joining.first(where: hasCaughtUp) {
            append(membership(promoting: node))
        }
    }

    private mutating func append(_ membership: Membership) {
        appendAsLeader(.membership(membership))
        let known = leadership?.peers ?? []
        var peers = membership.everyone.filter { $0 != id }.map { node in
            var peer = known.first { $0.id == node } ?? Progress(id: node, next: log.last.index.next)
            peer.departure = nil
            return peer
        }
        for var peer in known where !membership.contains(peer.id) {
            let end = now + timing.electionMaximum * Self.farewells
            peer.departure = peer.departure ?? Progress.Departure(through: log.last.index, at: end)
            peers.append(peer)
        }
        leadership?.peers = peers
    }

    /// For so many election timeouts a node that was removed is told of it, so that it can stop.
    private static var farewells: UInt64 { 4 }

    mutating func dismissDeparted() {
        let now = self.now
        // What a removed node was lent and may still use is not forgotten.
        leadership?.peers.removeAll { peer in
            peer.departure.map { $0.at <= now && !peer.lending.isActive } ?? false
        }
    }
}

extension Membership {
    fileprivate func without(_ node: NodeID) -> Membership {
        Membership(
            voters: voters.filter { $0 != node }, learners: learners.filter { $0 != node },
            joining: joining.filter { $0 != node })
    }
}
