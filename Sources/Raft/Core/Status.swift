import Posix

/// What a node does in its term.
package enum Role: Hashable, Sendable {
    case follower
    /// Asks whether it would win, without disturbing anyone.
    case preCandidate
    case candidate
    case leader
}

/// The right to act alone, for instance to hold an address or to answer reads.
package struct Lease: Hashable, Sendable {
    package var term: Term
    /// On this node's clock. Has to be compared with the present at each use.
    package var validUntil: Instant
    /// Until then an earlier leader's lease may last: nothing may be claimed.
    package var claimableFrom: Instant

    package init(term: Term, validUntil: Instant, claimableFrom: Instant) {
        self.term = term
        self.validUntil = validUntil
        self.claimableFrom = claimableFrom
    }

    package func isHeld(at now: Instant) -> Bool { claimableFrom <= now && now < validUntil }
}

/// A copy of what the outside may want to know of the core.
package struct Status: Hashable, Sendable {
    package var id: NodeID
    package var role: Role
    package var term: Term
    package var leader: NodeID?
    package var commit: LogIndex
    package var applied: LogIndex
    package var last: LogPosition
    /// Through here this node's own log is durable.
    package var durable: LogIndex
    package var snapshot: LogIndex
    /// In force, committed or not.
    package var membership: Membership
    package var committedMembership: Membership
    /// Only at a leader that has not given it up.
    package var lease: Lease?
    /// The end of the long lease that a majority promised this leader (Pause.swift).
    package var pauseEnd: Instant?
    /// At a leader, whether a quorum answered within the election timeout; at others, whether a leader is known.
    package var hasQuorum: Bool
    /// Known to a leader, otherwise empty.
    package var peers: [PeerStatus]
    /// What this node may use beside what it has by its own lease.
    package var borrowed: Borrowed?
    package var lending: LendingStatus
    /// At a leader, to whom it would hand leadership.
    package var heir: NodeID?

    /// Whether the committed membership has this node: a node that was removed learns it from this.
    package var isMember: Bool { committedMembership.contains(id) }
}

package struct PeerStatus: Hashable, Sendable {
    package var id: NodeID
    /// Through here the peer's log is durable and matches.
    package var matched: LogIndex
    package var lastContact: Instant
    package var receivesSnapshot: Bool
    /// It would use rights, as far as it said in this term.
    package var isWilling: Bool
    /// What it does not want any more.
    package var returned: [Right]
    /// What it may use now, or with a grant to come. Of this term: for earlier ones see `LendingStatus`.
    package var claims: [Right]
    /// Those of `claims` that it has been granted.
    package var granted: [Right]
    /// It asks for long grants.
    package var pauses: Bool
    /// What it has been granted lasts long, and it knows.
    package var hasLongGrant: Bool
    /// When no long grant of this term can be used any more.
    package var longGrantsEnd: Instant

    package init(
        id: NodeID, matched: LogIndex, lastContact: Instant, receivesSnapshot: Bool, isWilling: Bool = false,
        returned: [Right] = [], claims: [Right] = [], granted: [Right] = [], pauses: Bool = false,
        hasLongGrant: Bool = false, longGrantsEnd: Instant = .zero
    ) {
        self.pauses = pauses
        self.hasLongGrant = hasLongGrant
        self.longGrantsEnd = longGrantsEnd
        self.id = id
        self.matched = matched
        self.lastContact = lastContact
        self.receivesSnapshot = receivesSnapshot
        self.isWilling = isWilling
        self.returned = returned
        self.claims = claims
        self.granted = granted
    }
}

/// What concerns rights that others have.
package struct LendingStatus: Hashable, Sendable {
    /// Everything that was committed in earlier terms is applied here; at a leader.
    package var knowsState: Bool
    /// Everything that was in the log at the start is applied here.
    package var hasReplayed: Bool
    /// Until then grants of earlier terms may be used; at a leader.
    package var inheritedUntil: Instant
    /// The same for long grants.
    package var longInheritedUntil: Instant
    /// This leader goes on where a former process of its node was replaced.
    package var isContinued: Bool
    /// How long a grant lasts at the most, on any node's clock.
    package var grantGuard: Nanoseconds
    /// The former leader, which uses nothing of earlier terms after `Lease.claimableFrom`. Nil where that is not known.
    package var predecessor: NodeID?
    /// This start of the process, as the leader knows it.
    package var boot: UInt64
}

/// An operator's wish for another set of members.
package enum MembershipChange: Hashable, Sendable {
    case addLearner(NodeID)
    /// The node follows as a learner and becomes a voter by itself once it has caught up.
    case addVoter(NodeID)
    /// A learner that has caught up becomes a voter.
    case promote(NodeID)
    case remove(NodeID)
}

package enum MembershipRefusal: Error, Hashable, Sendable {
    case notLeader(leader: NodeID?)
    /// Another change is not finished, or no entry of this term is committed yet: retry soon.
    case changeUnderWay
    case alreadyMember
    case notMember
    /// `Limits.members` are members already.
    case tooManyMembers
    /// The learner still trails: retry soon.
    case notCaughtUp
    case lastVoter
}

package enum TransferRefusal: Error, Hashable, Sendable {
    case notLeader(leader: NodeID?)
    case alreadyUnderWay
    /// No voter other than this node, or the named one is not a voter.
    case noTarget
}

extension Raft {
    /// Nil where the log does not reach, or was compacted.
    package func entry(at index: LogIndex) -> Entry? { log.entry(at: index) }

    package var status: Status {
        let peers = leadership?.peers.filter { $0.departure == nil || $0.lending.isActive }.map { peer in
            var receivesSnapshot = false
            if case .snapshot = peer.mode { receivesSnapshot = true }
            return PeerStatus(
                id: peer.id, matched: peer.matched, lastContact: peer.lastContact, receivesSnapshot: receivesSnapshot,
                isWilling: peer.lending.statement?.isWilling == true, returned: peer.lending.statement?.returned ?? [],
                claims: peer.lending.claims, granted: peer.lending.inUse.map(\.right),
                pauses: peer.lending.statement?.pauses == true,
                hasLongGrant: peer.lending.isLong(at: peer.acknowledged.round), longGrantsEnd: peer.lending.longUntil)
        }
        return Status(
            id: id, role: role, term: term, leader: leader, commit: commit, applied: applied, last: log.last,
            durable: writes.durable, snapshot: snapshotIndex, membership: membership,
            committedMembership: log.membership(at: commit), lease: lease,
            pauseEnd: longLeaseEnd,
            hasQuorum: leadership != nil ? hearsQuorum : leader != nil, peers: peers ?? [], borrowed: borrowed,
            lending: lendingStatus, heir: closestVoter)
    }

    private var lendingStatus: LendingStatus {
        LendingStatus(
            knowsState: leadership.map { applied >= $0.firstOfTerm.previous } ?? false,
            hasReplayed: applied >= recoveredThrough,
            inheritedUntil: leadership.map { $0.inheritedFrom + timing.leaseGuard } ?? .distantFuture,
            longInheritedUntil: leadership.map { $0.inheritedFrom + timing.pauseGuard } ?? .distantFuture,
            isContinued: leadership?.isContinued ?? false, grantGuard: timing.leaseGuard,
            predecessor: leadership?.predecessor, boot: boot)
    }
}
