import Posix
import Raft
import Testing

@Suite struct HandoverTests {
    @Test("transfer cancelled by pre-vote: not by followers that still hear their leader")
    func transferIsNotRefused() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        let began = cluster.now
        try cluster[1].transferLeadership(to: NodeID(3), at: cluster.now)
        cluster.settle()
        #expect(cluster[3].role == .leader && cluster.now == began)
        let id = cluster.propose(at: 1)
        #expect(cluster.hasApplied(id, at: 1), "a released lease lets the new leader commit at once")
    }

    @Test("transfer target not caught up: it catches up first, and proposals are refused meanwhile")
    func targetCatchesUpFirst() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.holds = { $0.to == NodeID(2) && $0.message.lane == .bulk }
        let before = cluster.propose(at: 1)
        try cluster[1].transferLeadership(to: NodeID(2), at: cluster.now)
        cluster.settle()
        #expect(cluster[1].role == .leader)
        cluster.propose(at: 1)
        #expect(cluster.nodes[NodeID(1)]!.failedProposals.map(\.reason) == [.handingOver])
        cluster.release()
        #expect(cluster[2].role == .leader && cluster.hasApplied(before, at: 2))
    }

    @Test func aTargetThatDoesNotCatchUpEndsTheTransfer() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.isolate(2)
        cluster.propose(at: 1)
        try cluster[1].transferLeadership(to: NodeID(2), at: cluster.now)
        cluster.run(.milliseconds(100), ticking: [NodeID(1)])
        #expect(cluster[1].role == .leader && cluster[1].lease?.isHeld(at: cluster.now) == true)
        let id = cluster.propose(at: 1)
        #expect(cluster.hasApplied(id, at: 1))
    }

    @Test("reads served mid-transfer: none under a lease that is being handed on")
    func noLeasedReadDuringHandover() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster[1].stepDown(at: cluster.now)
        let id = ReadID(boot: 9, sequence: 9)
        cluster[1].read(id, at: cluster.now)
        #expect(cluster[1].ready().servedReads.isEmpty)
    }

    @Test func steppingDownElectsAnotherAtOnce() {
        var cluster = CoreCluster()
        cluster.elect(1)
        let began = cluster.now
        cluster[1].stepDown(at: cluster.now)
        cluster.settle()
        #expect(cluster.leader != nil && cluster.leader != NodeID(1))
        #expect(cluster.now == began)
    }

    @Test func aLostOrderToCampaignIsMadeUpFor() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.holds = { sent in if case .campaignNow = sent.message { true } else { false } }
        cluster[1].stepDown(at: cluster.now)
        cluster.settle()
        #expect(cluster.leader == nil)
        cluster.run(.milliseconds(20))
        #expect(cluster.leader != nil && cluster.leader != NodeID(1))
    }

    @Test func impossibleTargetsAreRefused() {
        var cluster = CoreCluster()
        cluster.elect(1)
        #expect(throws: TransferRefusal.noTarget) {
            try cluster[1].transferLeadership(to: NodeID(1), at: cluster.now)
        }
        #expect(throws: TransferRefusal.noTarget) {
            try cluster[1].transferLeadership(to: NodeID(7), at: cluster.now)
        }
        #expect(throws: TransferRefusal.notLeader(leader: NodeID(1))) {
            try cluster[2].transferLeadership(to: NodeID(3), at: cluster.now)
        }
    }
}
