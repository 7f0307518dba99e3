import Posix
import Raft
import Testing

@Suite struct ReadingTests {
    @Test func aLeasedReadCostsNoRound() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.forgetSent()
        let id = cluster.read(at: 1)
        #expect(cluster.hasServed(id, at: 1))
        #expect(cluster.sent.isEmpty)
    }

    @Test func aFollowersReadGoesThroughTheLeader() {
        var cluster = CoreCluster()
        cluster.elect(1)
        let write = cluster.propose(at: 2)
        let read = cluster.read(at: 3)
        #expect(cluster.hasServed(read, at: 3))
        #expect(cluster.hasApplied(write, at: 3))
    }

    @Test func aFollowersReadWaitsUntilItHasApplied() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.holds = { $0.to == NodeID(3) && $0.message.lane == .bulk }
        let write = cluster.propose(at: 1)
        let read = cluster.read(at: 3)
        #expect(!cluster.hasServed(read, at: 3))
        cluster.release()
        cluster.run(.milliseconds(15))
        #expect(cluster.hasServed(read, at: 3) && cluster.hasApplied(write, at: 3))
    }

    @Test("ReadIndex before a current-term commit (etcd#7331): no read before it")
    func noReadBeforeTheTermsFirstCommit() {
        var cluster = CoreCluster()
        cluster.holds = { $0.message.lane == .bulk }
        cluster.run(.milliseconds(150), ticking: [NodeID(1)])
        #expect(cluster[1].role == .leader && cluster[1].commit == .zero)
        let read = cluster.read(at: 1)
        cluster.run(.milliseconds(30))
        #expect(!cluster.hasServed(read, at: 1))
        cluster.release()
        #expect(cluster.hasServed(read, at: 1))
    }

    @Test func withoutALeaseAQuorumConfirmsFirst() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.holds = { $0.to == NodeID(1) }
        cluster.run(.milliseconds(45), ticking: [NodeID(1)])
        #expect(cluster[1].role == .leader && cluster[1].lease?.isHeld(at: cluster.now) == false)
        let read = cluster.read(at: 1)
        #expect(!cluster.hasServed(read, at: 1))
        // Answers to heartbeats sent before the read was asked for prove nothing; the newest ones do.
        cluster.release()
        #expect(cluster.hasServed(read, at: 1))
    }

    @Test func answersToEarlierHeartbeatsDoNotConfirm() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.holds = { $0.to == NodeID(1) }
        cluster.run(.milliseconds(45), ticking: [NodeID(1)])
        let old = try #require(cluster.held.last { $0.from == NodeID(2) })
        let read = cluster.read(at: 1)
        guard case .heartbeatReply(let reply) = old.message else {
            Issue.record("unexpected \(old.message)")
            return
        }
        // The lease it could prove is over.
        cluster.run(.milliseconds(4), ticking: [])
        let stamp = HeartbeatStamp(round: reply.stamp.round, sentAt: .zero)
        let answer = HeartbeatReply(term: reply.term, stamp: stamp, matched: reply.matched)
        cluster.deliver(.heartbeatReply(answer), from: 2, to: 1)
        cluster.settle()
        #expect(!cluster.hasServed(read, at: 1))
    }

    @Test func aDeposedLeaderFailsItsReads() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.isolate(1)
        cluster.run(.milliseconds(45), ticking: [NodeID(1)])
        let read = cluster.read(at: 1)
        cluster.run(.milliseconds(200))
        #expect(!cluster.hasServed(read, at: 1))
        #expect(cluster.nodes[NodeID(1)]!.failedReads.map(\.id) == [read])
    }

    @Test func withoutALeaderAReadFails() {
        var cluster = CoreCluster()
        let read = cluster.read(at: 1)
        #expect(cluster.nodes[NodeID(1)]!.failedReads == [FailedRead(id: read, reason: .notLeader(leader: nil))])
    }

    @Test func tooManyReadsAreRefused() {
        var limits = Limits()
        limits.pendingReads = 2
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        cluster.isolate(1)
        cluster.run(.milliseconds(45), ticking: [NodeID(1)])
        for _ in 0..<3 { _ = cluster.read(at: 1) }
        #expect(cluster.nodes[NodeID(1)]!.failedReads.map(\.reason) == [.overloaded])
    }
}
