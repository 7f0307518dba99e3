import Posix
import Raft
import Testing

private let right = Right(high: 0, low: 7)
private let other = Right(high: 0, low: 8)

/// Node 1 leads and may lend to node 2.
@Suite struct LendingTests {
    private func cluster() -> CoreCluster {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.tell(2, BorrowerWish(isWilling: true))
        cluster.run(.milliseconds(20))
        return cluster
    }

    private func claims(_ cluster: CoreCluster) -> [Right] {
        cluster[1].status.peers.first { $0.id == NodeID(2) }?.claims ?? []
    }

    @Test func nothingIsSaidWhereNothingIsLent() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.run(.milliseconds(50))
        for sent in cluster.sent {
            if case .heartbeat(let heartbeat) = sent.message { #expect(heartbeat.grant == nil) }
            if case .heartbeatReply(let reply) = sent.message { #expect(reply.borrower == nil) }
        }
    }

    @Test func whoWantsNothingMoreSaysSo() {
        var cluster = cluster()
        func isWilling() -> Bool? { cluster[1].status.peers.first { $0.id == NodeID(2) }?.isWilling }
        cluster.tell(2, BorrowerWish(isWilling: false))
        #expect(isWilling() == false)
        cluster.tell(2, BorrowerWish(isWilling: true))
        #expect(isWilling() == true)
        cluster.tell(2, nil)
        #expect(isWilling() == false, "lending ends, and no leader is to keep the older word")
    }

    @Test func anOldWordThatArrivesLateCountsForNothing() throws {
        var cluster = cluster()
        cluster.holds = { sent in if case .heartbeatReply = sent.message { sent.from == NodeID(2) } else { false } }
        cluster.run(.milliseconds(20))
        let late = cluster.held
        #expect(!late.isEmpty)
        cluster.holds = { _ in false }
        cluster.run(.milliseconds(1))
        cluster.tell(2, BorrowerWish(isWilling: false))
        for sent in late { cluster.deliver(sent.message, from: 2, to: 1) }
        let peer = try #require(cluster[1].status.peers.first { $0.id == NodeID(2) })
        #expect(!peer.isWilling)
    }

    @Test func aRightIsUsedForALeaseFromTheBorrowersLastWordAndRenewed() throws {
        var cluster = cluster()
        #expect(cluster[1].status.peers.first { $0.id == NodeID(2) }?.isWilling == true)
        cluster.lend([NodeID(2): [right]])
        let first = try #require(cluster[2].status.borrowed)
        #expect(first.rights == [right] && first.validUntil <= cluster.now + Timing.lan.lease)
        cluster.run(.milliseconds(200))
        let later = try #require(cluster[2].status.borrowed)
        #expect(later.validUntil > cluster.now && claims(cluster) == [right])
    }

    @Test func whatIsCalledBackIsFreeOnceTheBorrowerSaysSo() throws {
        var cluster = cluster()
        cluster.lend([NodeID(2): [right, other]])
        cluster.lend([NodeID(2): [other]])
        #expect(Set(claims(cluster)) == [right, other], "the borrower may not have heard of it")
        let grant = try #require(cluster[2].status.borrowed)
        #expect(grant.rights == [other])
        cluster.tell(2, BorrowerWish(isWilling: true, settled: grant.grant))
        #expect(claims(cluster) == [other])
    }

    @Test func aSilentBorrowersRightIsFreeAfterItsGrantOnly() throws {
        var cluster = cluster()
        cluster.lend([NodeID(2): [right]])
        cluster.run(.milliseconds(30))
        let borrowed = try #require(cluster[2].status.borrowed)
        cluster.nodes[NodeID(2)]!.isStopped = true
        while claims(cluster) == [right] { cluster.run(.milliseconds(1)) }
        #expect(cluster.now >= borrowed.validUntil)
        #expect(cluster.now <= borrowed.validUntil + .milliseconds(20))
        cluster.nodes[NodeID(2)]!.isStopped = false
        cluster.run(.milliseconds(50))
        #expect(claims(cluster) == [], "it is not lent again by itself")
    }

    @Test func theEndOfAProcessFreesWhatThatProcessHad() {
        var cluster = cluster()
        cluster.lend([NodeID(2): [right]])
        cluster.run(.milliseconds(30))
        let boot = cluster[2].status.lending.boot
        cluster[1].borrowerGone(NodeID(2), boot: boot &+ 1, at: cluster.now)
        #expect(claims(cluster) == [right], "another process is meant")
        cluster[1].borrowerGone(NodeID(2), boot: boot, at: cluster.now)
        #expect(claims(cluster) == [])
    }

    @Test func aGrantForAnotherProcessIsNotTaken() {
        var cluster = cluster()
        let stamp = BorrowerStamp(boot: 1, sentAt: cluster.now)
        let heartbeat = Heartbeat(
            term: cluster[1].term, stamp: HeartbeatStamp(round: 1 << 40, sentAt: cluster.now), commit: .zero,
            grant: Grant(echo: stamp, rights: [right]))
        cluster.deliver(.heartbeat(heartbeat), from: 1, to: 2)
        #expect(cluster[2].status.borrowed == nil)
    }

    /// The next leader knows whose grants have ended with the lease before its own.
    @Test func borrowersKeepWhatTheyHaveThroughAnElection() throws {
        var cluster = cluster()
        cluster.lend([NodeID(2): [right]])
        cluster.run(.milliseconds(30))
        try cluster[1].transferLeadership(to: NodeID(3), at: cluster.now)
        cluster.settle()
        cluster.run(.milliseconds(3))
        #expect(cluster[3].role == .leader && cluster[3].status.lending.predecessor == NodeID(1))
        #expect(cluster[2].status.borrowed?.rights == [right])
        #expect(try #require(cluster[2].status.borrowed).validUntil > cluster.now)
    }

    // MARK: Long grants

    private func recovered(_ core: Raft) -> RecoveredState {
        let entries = (1...core.last.index.number).compactMap { core.entry(at: LogIndex($0)) }
        return RecoveredState(
            hardState: core.hardState, entries: entries, foundingMembership: Membership(voters: CoreCluster.ids))
    }

    @Test func aLongGrantOutlastsAPauseOfTheBorrowerAndIsWaitedFor() throws {
        var cluster = cluster()
        cluster.tell(2, BorrowerWish(isWilling: true, pauses: true))
        cluster.lend([NodeID(2): [right]], long: [NodeID(2)])
        let peer = try #require(cluster[1].status.peers.first { $0.id == NodeID(2) })
        #expect(peer.pauses && peer.hasLongGrant && peer.longGrantsEnd > cluster.now + Timing.lan.pause)
        let borrowed = try #require(cluster[2].status.borrowed)
        #expect(borrowed.validUntil == cluster.now + Timing.lan.pause)
        cluster.nodes[NodeID(2)]!.isStopped = true
        // Grants that do not arrive are no reason to take the address sooner.
        cluster.lend([NodeID(2): [right]])
        while claims(cluster) == [right] { cluster.run(.milliseconds(1)) }
        #expect(cluster.now >= borrowed.validUntil)
    }

    @Test func theNextProcessOfABorrowerGoesOnAsTheSame() throws {
        var cluster = cluster()
        cluster.tell(2, BorrowerWish(isWilling: true, pauses: true))
        cluster.lend([NodeID(2): [right]], long: [NodeID(2)])
        let former = cluster[2].status
        let continuation = try #require(cluster[2].continuation)
        let disk = recovered(cluster[2])
        cluster.nodes[NodeID(2)]!.isStopped = true
        cluster.run(.milliseconds(300))
        cluster.add(NodeID(2), recovered: disk, continuing: continuation)
        #expect(cluster[2].status.borrowed == former.borrowed)
        #expect(cluster[2].status.lending.boot == former.lending.boot)
        cluster.tell(2, BorrowerWish(isWilling: true))
        cluster.lend([NodeID(2): [right]])
        cluster.run(.seconds(3))
        #expect(claims(cluster) == [right])
        #expect(try #require(cluster[2].status.borrowed).validUntil <= cluster.now + Timing.lan.lease)
    }

    @Test func theNextProcessOfALeaderWaitsForWhatTheFormerOneGranted() throws {
        var cluster = cluster()
        cluster[1].prepareToPause(at: cluster.now)
        cluster.lend([NodeID(2): [right]], long: [NodeID(2)])
        let continuation = try #require(cluster[1].continuation)
        let end = try #require(cluster[2].status.borrowed).validUntil
        cluster.add(NodeID(1), recovered: recovered(cluster[1]), continuing: continuation)
        let lending = cluster[1].status.lending
        #expect(cluster[1].role == .leader && lending.isContinued && lending.longInheritedUntil > end)
    }
}

extension CoreCluster {
    fileprivate mutating func tell(_ number: UInt64, _ wish: BorrowerWish?) {
        self[number].borrow(wish, at: now)
        settle()
    }

    /// The host says it at each turn.
    fileprivate mutating func lend(_ rights: [NodeID: [Right]], long: Set<NodeID> = []) {
        self[1].lend(rights, long: long, at: now)
        settle()
    }
}
