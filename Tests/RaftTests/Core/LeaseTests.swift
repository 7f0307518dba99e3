import Posix
import Raft
import Testing

@Suite struct LeaseTests {
    @Test func leaseEndsCountedFromTheSendingOfAnAcknowledgedHeartbeat() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.holds = { $0.to == NodeID(1) }
        let valid = try #require(cluster[1].lease).validUntil
        cluster.run(.milliseconds(30), ticking: [NodeID(1)])
        #expect(cluster[1].lease?.validUntil == valid)
        #expect(valid <= cluster.now + .milliseconds(10))
    }

    @Test("process paused past its lease: it does not act on it")
    func stoppedPastItsLease() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.nodes[NodeID(1)]!.isStopped = true
        cluster.run(.milliseconds(500))
        #expect(cluster.leader != NodeID(1))
        #expect(cluster[1].role == .leader && cluster[1].lease?.isHeld(at: cluster.now) == false)
        cluster.nodes[NodeID(1)]!.isStopped = false
        cluster[1].tick(at: cluster.now)
        #expect(cluster[1].role != .leader)
    }

    @Test func aNewLeaderWaitsForTheOldLease() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        let oldLease = try #require(cluster[1].lease)
        cluster.isolate(1)
        // False evidence: 1 is alive, and both others take it for gone.
        for id in [UInt64(2), 3] { cluster[id].leaderProcessGone(NodeID(1), at: cluster.now) }
        cluster.run(.milliseconds(3))
        #expect(cluster[2].role == .leader)
        let claimable = try #require(cluster[2].lease).claimableFrom
        #expect(claimable >= oldLease.validUntil + Timing.lan.margin)
        while cluster[2].commit < cluster[2].last.index { cluster.run(.milliseconds(1)) }
        #expect(cluster.now >= claimable)
        #expect(cluster[1].lease?.isHeld(at: cluster.now) != true)
    }

    @Test func aRestartedVoterKeepsALeaseItHasForgotten() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.isolate(1)
        cluster.add(
            NodeID(2),
            recovered: RecoveredState(
                hardState: HardState(term: cluster[1].term, vote: NodeID(1)),
                entries: [Entry(term: cluster[1].term, index: LogIndex(1), payload: .noop)],
                foundingMembership: Membership(voters: CoreCluster.ids)))
        let last = cluster[1].last
        let request = VoteRequest(term: Term(50), attempt: 1, last: last, releasedThrough: .zero)
        cluster.deliver(.voteRequest(request), from: 3, to: 2)
        #expect(cluster[2].term < Term(50))
    }

    @Test("lease not expired at transfer (raft#99): it is over before leadership is handed on")
    func leaseEndsBeforeTransfer() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        try cluster[1].transferLeadership(to: NodeID(2), at: cluster.now)
        #expect(cluster[1].lease == nil)
        cluster.settle()
        #expect(cluster[2].role == .leader)
        let released = cluster.sent.contains { sent in
            if case .leaseReleased = sent.message { true } else { false }
        }
        #expect(released)
        let claimable = try #require(cluster[2].lease).claimableFrom
        #expect(claimable <= cluster.now, "a released lease is not waited for")
    }

    @Test func aLeaderThatMayNotClaimYetReleasesNothing() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.isolate(1)
        for id in [UInt64(2), 3] { cluster[id].leaderProcessGone(NodeID(1), at: cluster.now) }
        cluster.run(.milliseconds(3))
        #expect(cluster[2].role == .leader)
        cluster.forgetSent()
        cluster[2].stepDown(at: cluster.now)
        cluster.settle()
        #expect(cluster[2].role == .follower)
        let released = cluster.sent.contains { sent in
            if case .leaseReleased = sent.message { true } else { false }
        }
        #expect(!released)
    }

    @Test func aSurrenderedLeaseDoesNotComeBackInItsTerm() {
        var cluster = CoreCluster()
        cluster.elect(1)
        let term = cluster[1].term
        cluster[1].stepDown(at: cluster.now)
        for _ in 0..<30 {
            cluster.run(.milliseconds(10))
            #expect(cluster[1].lease == nil || cluster[1].term > term)
        }
        #expect(cluster.leader != nil)
    }

    @Test(arguments: [Timing.fast, .lan, .cautious, .wan])
    func profilesAreConsistent(timing: Timing) throws { try timing.validate() }

    @Test func periodsThatDoNotFitAreRefused() {
        var timing = Timing.lan
        timing.lease = .milliseconds(49)
        #expect(throws: Timing.Fault.leaseTooLongForElection) { try timing.validate() }
        timing = .lan
        timing.heartbeat = .milliseconds(30)
        #expect(throws: Timing.Fault.heartbeatTooLongForLease) { try timing.validate() }
        timing = .lan
        timing.electionMaximum = timing.electionMinimum
        #expect(throws: Timing.Fault.electionRangeEmpty) { try timing.validate() }
        timing = .lan
        timing.heartbeat = .zero
        #expect(throws: Timing.Fault.zeroPeriod) { try timing.validate() }
    }
}
