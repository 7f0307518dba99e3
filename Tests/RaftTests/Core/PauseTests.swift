import Posix
import Raft
import Testing

/// Another process of a node takes the place of its present one.
@Suite struct PauseTests {
    /// Node 1 leads with a long lease, and has something committed.
    private func prepared() throws -> CoreCluster {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.propose(at: 1)
        cluster[1].prepareToPause(at: cluster.now)
        cluster.settle()
        #expect(try #require(cluster[1].lease).validUntil == cluster.now + Timing.lan.pause)
        return cluster
    }

    private func recovered(_ core: Raft) -> RecoveredState {
        let entries = (1...core.last.index.number).compactMap { core.entry(at: LogIndex($0)) }
        return RecoveredState(
            hardState: HardState(term: core.term, vote: core.id), entries: entries,
            foundingMembership: Membership(voters: CoreCluster.ids))
    }

    @Test func theNextProcessLeadsTheSameTerm() throws {
        var cluster = try prepared()
        let (term, commit) = (cluster[1].term, cluster[1].commit)
        let continuation = try #require(cluster[1].continuation)
        let disk = recovered(cluster[1])
        cluster.nodes[NodeID(1)]!.isStopped = true
        cluster.run(.milliseconds(500))
        #expect(cluster[2].role == .follower && cluster[3].role == .follower)
        cluster.add(NodeID(1), recovered: disk, continuing: continuation)
        #expect(cluster[1].role == .leader && cluster[1].commit == commit)
        #expect(cluster[1].lease?.isHeld(at: cluster.now) == true)
        cluster.settle()
        let proposal = cluster.propose(at: 2)
        cluster.run(.milliseconds(100))
        #expect(cluster.hasApplied(proposal, at: 3))
        #expect(cluster[1].term == term && cluster.leader == NodeID(1))
    }

    @Test func whoIsElectedAfterAPauseThatNeverEndsWaitsForTheLongLease() throws {
        var cluster = try prepared()
        let end = try #require(cluster[1].lease).validUntil
        cluster.isolate(1)
        // One voter restarts, and knows of its promise by its disk alone; false evidence makes the others campaign.
        var disk = recovered(cluster[3])
        disk.hardState = HardState(term: cluster[3].term, vote: NodeID(1), promised: cluster[3].term)
        cluster.add(NodeID(3), recovered: disk)
        cluster[3].leaderProcessGone(NodeID(1), at: cluster.now)
        cluster[2].leaderProcessGone(NodeID(1), at: cluster.now)
        for _ in 0..<5000 where cluster[2].lease == nil && cluster[3].lease == nil { cluster.run(.milliseconds(1)) }
        let lease = try #require(cluster[2].lease ?? cluster[3].lease)
        #expect(lease.claimableFrom > end)
    }

    @Test func aReleaseEndsALongLease() throws {
        var cluster = try prepared()
        try cluster[1].transferLeadership(to: NodeID(2), at: cluster.now)
        cluster.settle()
        #expect(cluster[1].lease == nil)
        cluster.run(.milliseconds(3))
        #expect(cluster[2].lease?.isHeld(at: cluster.now) == true)
    }

    @Test func aVoterGrantsWhenItsPromiseIsDurable() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        for id in [UInt64(2), 3] { cluster.nodes[NodeID(id)]!.diskIsStalled = true }
        cluster[1].prepareToPause(at: cluster.now)
        cluster.settle()
        #expect(cluster[1].status.pauseEnd == nil)
        cluster.unstallDisk(of: 3)
        #expect(cluster[1].status.pauseEnd != nil)
    }

    @Test func anotherLogIsNotContinued() throws {
        var cluster = try prepared()
        let continuation = try #require(cluster[1].continuation)
        var disk = recovered(cluster[1])
        disk.entries.removeLast()
        cluster.add(NodeID(1), recovered: disk, continuing: continuation)
        #expect(cluster[1].role == .follower)
    }

    @Test func aFollowerIsContinuedWithWhatItKnowsToBeCommitted() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.propose(at: 1)
        cluster.run(.milliseconds(30))
        let continuation = try #require(cluster[2].continuation)
        cluster.add(NodeID(2), recovered: recovered(cluster[2]), continuing: continuation)
        #expect(cluster[2].commit == cluster[1].commit && cluster[2].role == .follower)
    }

    /// Otherwise it would wait for a lease of long ago after its next restart (simulation, seed 732).
    @Test func whoHasPromisedAndLeadsSinceForgetsThatToo() throws {
        var cluster = try prepared()
        try cluster[1].transferLeadership(to: NodeID(2), at: cluster.now)
        cluster.settle()
        #expect(cluster[2].hardState.promised < cluster[2].term && cluster[2].hardState.promised > .zero)
        cluster.run(Timing.lan.pause + .milliseconds(500))
        #expect(cluster.leader == NodeID(2) && cluster[2].hardState.promised == .zero)
    }

    @Test func aPromiseThatIsOverIsForgotten() throws {
        var cluster = try prepared()
        let promised = cluster[2].hardState.promised
        #expect(promised == cluster[1].term)
        cluster.run(Timing.lan.pause + .milliseconds(500))
        #expect(cluster[2].hardState.promised == .zero && cluster.leader == NodeID(1))
    }
}
