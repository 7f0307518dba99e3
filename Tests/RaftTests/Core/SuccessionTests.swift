import Posix
import Raft
import Testing

/// Who leads next when several could.
@Suite struct SuccessionTests {
    private static let nodes = (1...5).map { NodeID($0) }

    /// How long a voter that just heard its leader waits for it.
    private func patience(of id: UInt64, in cluster: CoreCluster) -> Nanoseconds {
        cluster[id].nextDeadline - cluster.now
    }

    @Test("those that heard the same heartbeat never campaign at the same time", arguments: [3, 5])
    func slotsAreApart(_ count: Int) {
        let ids = Array(Self.nodes.prefix(count))
        for leader in ids.prefix(2) {
            var cluster = CoreCluster(ids)
            cluster.elect(leader.number)
            let timing = Timing.lan
            let slot = (timing.electionMaximum - timing.electionMinimum) / UInt64(2 * (count - 1) - 1)
            for _ in 0..<20 {
                let before = cluster.sent.count
                while !cluster.sent.dropFirst(before).contains(where: { $0.message.isHeartbeat }) {
                    cluster.run(.milliseconds(1), ticking: [leader])
                }
                let waits = ids.filter { $0 != leader }.map { patience(of: $0.number, in: cluster) }
                for (rank, wait) in waits.enumerated() {
                    let start = timing.electionMinimum + slot * UInt64(2 * rank)
                    #expect(start <= wait && wait <= start + slot)
                }
            }
        }
    }

    @Test func aSparedNodeLeavesOthersTheWay() {
        var cluster = CoreCluster()
        for id in cluster.nodes.keys { cluster.nodes[id]?.core.spare([NodeID(2)]) }
        cluster.elect(1)
        let term = cluster[1].term
        cluster.isolate(1)
        cluster.run(.milliseconds(300), ticking: [NodeID(2), NodeID(3)])
        #expect(cluster[3].role == .leader && cluster[3].term == term.next, "nobody campaigned against it")
    }

    @Test func aSparedNodeLeavesOthersTheWayOnProofOfALeadersDeath() {
        var cluster = CoreCluster()
        for id in cluster.nodes.keys { cluster.nodes[id]?.core.spare([NodeID(2)]) }
        cluster.elect(1)
        cluster.isolate(1)
        for id in [UInt64(2), 3] {
            cluster[id].leaderReleased(cluster[1].term, by: NodeID(1), processGone: true, at: cluster.now)
        }
        cluster.run(.milliseconds(3), ticking: [NodeID(2), NodeID(3)])
        #expect(cluster[3].role == .leader)
    }

    @Test func aSparedNodeLeadsWhenNoOtherCan() {
        var cluster = CoreCluster()
        for id in cluster.nodes.keys { cluster.nodes[id]?.core.spare([NodeID(2)]) }
        cluster.elect(1)
        cluster.nodes[NodeID(1)]?.isStopped = true
        cluster.holds = { $0.from == NodeID(3) && $0.message.asksForVotes }
        cluster.run(.seconds(1), ticking: [NodeID(2), NodeID(3)])
        #expect(cluster[2].role == .leader)
    }

    @Test func leadershipIsHandedToNoSparedNode() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster[1].spare([NodeID(2)])
        try cluster[1].transferLeadership(to: nil, at: cluster.now)
        cluster.settle()
        #expect(cluster[3].role == .leader)
    }

    @Test func amongSparedNodesTheUsualOrderHolds() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster[1].spare([NodeID(1), NodeID(2), NodeID(3)])
        try cluster[1].transferLeadership(to: nil, at: cluster.now)
        cluster.settle()
        #expect(cluster[2].role == .leader)
    }
}

extension Message {
    fileprivate var isHeartbeat: Bool { if case .heartbeat = self { true } else { false } }

    fileprivate var asksForVotes: Bool {
        switch self {
        case .preVoteRequest, .voteRequest: true
        case _: false
        }
    }
}
