import Posix

/// Changes of the members: one at a time, through a joint configuration where voters change (dissertation,
/// sections 4.1 and 4.3). A membership takes effect when it is appended and is undone when it is truncated.
extension Raft {
    package mutating func changeMembership(
        _ change: MembershipChange, at now: Instant
    ) throws(MembershipRefusal) {
        advanceClock(to: now)
        guard let leadership else { throw .notLeader(leader: leader) }
        let isSettled = !membership.isJoint && log.membershipIndex <= commit && leadership.handover == nil
        // A change before this term's first commit could overlap one of an earlier leader (raft-dev, July 2015).
        guard isSettled, commit >= leadership.firstOfTerm else { throw .changeUnderWay }
        append(try membership(after: change, leadership))
    }

    private func membership(
        after change: MembershipChange, _ leadership: Leadership
    ) throws(MembershipRefusal) -> Membership {
        var new = membership
        switch change {
        case .addLearner(let node):
            guard !membership.contains(node) else { throw .alreadyMember }
            new = Membership(voters: new.voters, learners: new.learners + [node])
        case .promote(let node):
            guard membership.learners.contains(node) else { throw .notMember }
            guard let matched = leadership.progress(of: node)?.matched, matched >= commit else { throw .notCaughtUp }
            new = Membership(
                voters: new.voters + [node], outgoingVoters: new.voters, learners: new.learners.filter { $0 != node })
        case .remove(let node):
            guard membership.contains(node) else { throw .notMember }
            let voters = new.voters.filter { $0 != node }
            guard !voters.isEmpty else { throw .lastVoter }
            let isVoter = voters.count < new.voters.count
            new = Membership(
                voters: voters, outgoingVoters: isVoter ? new.voters : [], learners: new.learners.filter { $0 != node })
        }
        return new
    }

    /// Leaves a joint configuration once it is committed, also one that an earlier leader began; a leader that is no
    /// voter any more leaves once that is committed.
    mutating func continueMembershipChange() {
        guard let leadership, commit >= leadership.firstOfTerm, log.membershipIndex <= commit else { return }
        if membership.isJoint {
            append(Membership(voters: membership.voters, learners: membership.learners))
        } else if !membership.isVoter(id) {
            stepDown(at: now)
        }
    }

    private mutating func append(_ membership: Membership) {
        appendAsLeader(.membership(membership))
        let others = membership.everyone.filter { $0 != id }
        let known = leadership?.peers ?? []
        leadership?.peers = others.map { node in
            known.first { $0.id == node } ?? Progress(id: node, next: log.last.index.next)
        }
    }
}
