import Posix

/// The name of something that a leader lends to one node at a time. What it stands for only the host knows.
package struct Right: Hashable, Comparable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func < (left: Right, right: Right) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

/// A leader's word in a heartbeat: the receiver may use `rights`, and no others, until `lease` after `echo`.
package struct Grant: Hashable, Sendable {
    /// When the receiver sent the newest statement that the leader had got.
    package var echo: BorrowerStamp
    package var rights: [Right]
    /// Until `pause` after `echo`, as one of both is about to be replaced by another process.
    package var isLong: Bool

    package init(echo: BorrowerStamp, rights: [Right], isLong: Bool = false) {
        self.echo = echo
        self.rights = rights
        self.isLong = isLong
    }
}

/// When a node said something, on its own clock. Only the start of the process that said it can tell what that means.
package struct BorrowerStamp: Hashable, Sendable {
    package var boot: UInt64
    package var sentAt: Instant

    package init(boot: UInt64, sentAt: Instant) {
        self.boot = boot
        self.sentAt = sentAt
    }
}

/// What a node that may borrow tells the leader with each answer to a heartbeat.
package struct BorrowerStatement: Hashable, Sendable {
    package var stamp: BorrowerStamp
    package var isWilling: Bool
    /// Granted, and not wanted any more.
    package var returned: [Right]
    /// The newest grant of this term beyond whose rights nothing is used here any more; 0 for none.
    package var settled: UInt64
    /// Another process is about to take the place of this one, so a long grant is wanted.
    package var pauses: Bool

    package init(stamp: BorrowerStamp, isWilling: Bool, returned: [Right], settled: UInt64, pauses: Bool = false) {
        self.stamp = stamp
        self.isWilling = isWilling
        self.returned = returned
        self.settled = settled
        self.pauses = pauses
    }
}

/// What a host wants told to the leader.
package struct BorrowerWish: Hashable, Sendable {
    package var isWilling: Bool
    package var returned: [Right]
    /// The grant beyond whose rights the host uses nothing.
    package var settled: GrantID?
    /// See `BorrowerStatement`.
    package var pauses: Bool

    package init(isWilling: Bool = false, returned: [Right] = [], settled: GrantID? = nil, pauses: Bool = false) {
        self.isWilling = isWilling
        self.returned = returned
        self.settled = settled
        self.pauses = pauses
    }
}

package struct GrantID: Hashable, Sendable {
    package var term: Term
    /// Of the heartbeat that brought it.
    package var round: UInt64

    package init(term: Term, round: UInt64) {
        self.term = term
        self.round = round
    }
}

/// What this node has been lent. It outlasts the leader's term, so that an election takes nothing away.
package struct Borrowed: Hashable, Sendable {
    package var grant: GrantID
    package var rights: [Right]
    /// On this node's clock. Has to be compared with the present at each use.
    package var validUntil: Instant

    package init(grant: GrantID, rights: [Right], validUntil: Instant) {
        self.grant = grant
        self.rights = rights
        self.validUntil = validUntil
    }
}

/// What a leader knows of the rights that another node has of it, all of this term.
struct Lending: Hashable, Sendable {
    /// What may still be used there.
    struct InUse: Hashable, Sendable {
        var right: Right
        var boot: UInt64
        /// On the leader's clock: later than the borrower's clock can mean.
        var until: Instant
        /// The first round whose grant left it out.
        var withdrawnIn: UInt64?
    }

    /// The newest statement and when it came.
    private(set) var statement: BorrowerStatement?
    private(set) var heardAt = Instant.zero
    /// What the next grant names.
    private(set) var listed: [Right] = []
    private(set) var inUse: [InUse] = []
    private var isLong = false
    /// The first of the rounds whose grants are long now.
    private var longSince: UInt64?
    /// No long grant can be used after that, on the leader's clock.
    private(set) var longUntil = Instant.zero

    /// Whether anything is lent, or was and has to be called back.
    var isActive: Bool { !listed.isEmpty || !inUse.isEmpty }

    /// What the borrower may use now, or with a grant to come.
    var claims: [Right] { listed + inUse.map(\.right).filter { !listed.contains($0) } }

    var nextEnd: Instant { inUse.map(\.until).min() ?? .distantFuture }

    /// True when that is a change.
    mutating func list(_ rights: [Right], isLong: Bool) -> Bool {
        guard listed != rights || self.isLong != isLong else { return false }
        listed = rights
        self.isLong = isLong
        longSince = nil
        return true
    }

    /// Whether the grant that the borrower has is long, once it acknowledged `round`.
    func isLong(at round: UInt64) -> Bool { longSince.map { $0 <= round } ?? false }

    mutating func heard(_ statement: BorrowerStatement, at now: Instant) {
        if let earlier = self.statement?.stamp, earlier.boot == statement.stamp.boot,
            earlier.sentAt > statement.stamp.sentAt
        {
            return
        }
        self.statement = statement
        heardAt = now
        inUse.removeAll { use in use.withdrawnIn.map { $0 <= statement.settled } ?? false }
    }

    /// A right that nobody renewed in time is lost, also where it is still listed: the leader may need it.
    mutating func expire(at now: Instant) {
        end { $0.until <= now }
    }

    /// The process that began as `boot` is gone, and everything it used with it.
    mutating func ended(boot: UInt64) {
        end { $0.boot == boot }
        if statement?.stamp.boot == boot { statement = nil }
    }

    private mutating func end(where isOver: (InUse) -> Bool) {
        let over = inUse.filter(isOver)
        if over.isEmpty { return }
        inUse.removeAll(where: isOver)
        let left = Set(inUse.map(\.right))
        listed.removeAll { right in !left.contains(right) && over.contains { $0.right == right } }
    }

    /// What a heartbeat of `round` says. A grant, or a long one, lasts so long at the most, on the leader's clock.
    mutating func grant(round: UInt64, lasting short: Nanoseconds, orLong long: Nanoseconds) -> Grant? {
        guard isActive, let stamp = statement?.stamp else { return nil }
        if isLong {
            longSince = longSince ?? round
            longUntil = max(longUntil, heardAt + long)
        }
        for position in inUse.indices where !listed.contains(inUse[position].right) {
            inUse[position].withdrawnIn = inUse[position].withdrawnIn ?? round
        }
        let end = heardAt + (isLong ? long : short)
        for right in listed {
            // The grant may not arrive, and a longer one before it be used to its end.
            let former = inUse.first { $0.right == right && $0.boot == stamp.boot }?.until ?? .zero
            inUse.removeAll { $0.right == right && $0.boot == stamp.boot }
            inUse.append(InUse(right: right, boot: stamp.boot, until: max(end, former)))
        }
        return Grant(echo: stamp, rights: listed, isLong: isLong)
    }
}

/// Rights that a leader lends to others (a lease for each follower, counted like the leader's own).
///
/// A follower's grant ends `lease` after it *sent* the statement that the grant echoes, so delays only shorten it. The
/// leader, which got that statement later, waits `leaseGuard` from then, or for the follower's word that it uses the right
/// no more. A leader grants only while its own lease holds, so all grants of earlier terms end `leaseGuard` after
/// `claimableFrom` at the latest. Long grants (`pause` and `pauseGuard` instead) let another process take the place of the
/// borrower's or the leader's; the host gives them only for what whoever leads next will know of.
extension Raft {
    /// Replaces what this leader lends. Rights left out are called back; they may be used elsewhere once
    /// `PeerStatus.claims` has them no more. No effect at a follower.
    /// - Parameter long: whose grants are to be long ones.
    package mutating func lend(_ rights: [NodeID: [Right]], long: Set<NodeID> = [], at now: Instant) {
        advanceClock(to: now)
        guard let peers = leadership?.peers else { return }
        for (position, peer) in peers.enumerated() {
            let listed = Array((rights[peer.id] ?? []).prefix(limits.rights))
            if leadership?.peers[position].lending.list(listed, isLong: long.contains(peer.id)) == true {
                leadership?.heartbeatWanted = true
            }
        }
    }

    /// Replaces what this node tells leaders. News are told at once.
    /// - Parameter wish: nil where the host takes no part in lending. A node that did before says that it wants nothing, for
    ///   a leader goes by the newest word that it heard.
    package mutating func borrow(_ wish: BorrowerWish?, at now: Instant) {
        advanceClock(to: now)
        guard let wish = wish ?? self.wish.map({ _ in BorrowerWish() }), wish != self.wish else { return }
        self.wish = wish
        if leadership == nil, let leader, following.answered > .never { sendHeartbeatReply(to: leader) }
    }

    /// The process of `node` that began as `boot` is gone, and uses nothing any more.
    package mutating func borrowerGone(_ node: NodeID, boot: UInt64, at now: Instant) {
        advanceClock(to: now)
        guard let position = leadership?.index(of: node) else { return }
        leadership?.peers[position].lending.ended(boot: boot)
    }

    /// Something waits to be sent.
    package var hasNews: Bool { leadership?.heartbeatWanted == true || !output.messages.isEmpty }

    var statement: BorrowerStatement? {
        guard wish != nil || borrowed != nil else { return nil }
        let wish = self.wish ?? BorrowerWish()
        let settled = wish.settled.flatMap { $0.term == term ? $0.round : nil } ?? 0
        return BorrowerStatement(
            stamp: BorrowerStamp(boot: boot, sentAt: now), isWilling: wish.isWilling,
            returned: wish.returned, settled: settled, pauses: wish.pauses)
    }

    /// Only a statement of this very process is known to be of this clock.
    mutating func take(_ grant: Grant?, round: UInt64) {
        guard let grant, grant.echo.boot == boot, grant.echo.sentAt <= now else { return }
        borrowed = Borrowed(
            grant: GrantID(term: term, round: round), rights: grant.rights,
            validUntil: grant.echo.sentAt + (grant.isLong ? timing.pause : timing.lease))
    }

    mutating func grant(to position: Int, round: UInt64) -> Grant? {
        guard lease?.isHeld(at: now) == true else { return nil }
        let now = self.now
        leadership?.peers[position].lending.expire(at: now)
        let timing = self.timing
        return leadership?.peers[position].lending
            .grant(round: round, lasting: timing.leaseGuard, orLong: timing.pauseGuard)
    }

    mutating func expireLoans() {
        let now = self.now
        for position in leadership?.peers.indices ?? 0..<0 { leadership?.peers[position].lending.expire(at: now) }
        if let borrowed, borrowed.validUntil <= now { self.borrowed = nil }
    }
}
