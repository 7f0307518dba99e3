import Posix
import Raft
import Testing

/// What other nodes make of the word of a leader's guard.
@Suite struct GuardNoticeTests {
    @Test("a leader whose guard vouches for its death is followed at once, and its lease is not waited for")
    func processGone() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        let term = cluster[1].term
        cluster.isolate(1)
        for id in [UInt64(2), 3] {
            cluster[id].leaderReleased(term, by: NodeID(1), processGone: true, at: cluster.now)
        }
        cluster.run(.milliseconds(3))
        #expect(cluster[2].role == .leader)
        #expect(try #require(cluster[2].lease).claimableFrom <= cluster.now)
    }

    @Test("one voter that heard of it is enough")
    func oneWitness() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        let term = cluster[1].term
        cluster.isolate(1)
        cluster[2].leaderReleased(term, by: NodeID(1), processGone: true, at: cluster.now)
        cluster.run(.milliseconds(3))
        #expect(cluster[2].role == .leader)
    }

    @Test("an expired lease at the guard starts the election when voters may vote, not before, and frees no lease")
    func leaseExpired() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        let lease = try #require(cluster[1].lease)
        cluster.isolate(1)
        cluster.run(.milliseconds(20), ticking: [NodeID(2), NodeID(3)])
        for id in [UInt64(2), 3] {
            cluster[id].leaderReleased(lease.term, by: NodeID(1), processGone: false, at: cluster.now)
        }
        while cluster[2].role != .leader {
            cluster.run(.milliseconds(1), ticking: [NodeID(2), NodeID(3)])
            try #require(cluster.now < lease.validUntil + .seconds(1))
        }
        #expect(try #require(cluster[2].lease).claimableFrom >= lease.validUntil + Timing.lan.margin)
        #expect(cluster.now < lease.validUntil + Timing.lan.electionMinimum)
    }

    @Test("a notice of another term or of another node changes nothing")
    func strangers() {
        var cluster = CoreCluster()
        cluster.elect(1)
        let before = cluster[2].nextDeadline
        cluster[2].leaderReleased(Term(cluster[1].term.number - 1), by: NodeID(1), processGone: true, at: cluster.now)
        cluster[2].leaderReleased(cluster[1].term, by: NodeID(3), processGone: false, at: cluster.now)
        #expect(cluster[2].nextDeadline == before && cluster[2].role == .follower)
    }
}
