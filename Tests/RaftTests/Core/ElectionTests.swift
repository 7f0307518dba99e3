import Posix
import Raft
import Testing

@Suite struct ElectionTests {
    private func request(term: UInt64, last: LogPosition = .zero, attempt: UInt64 = 9) -> VoteRequest {
        VoteRequest(term: Term(term), attempt: attempt, last: last, releasedThrough: .zero)
    }

    private func recovered(term: UInt64, entries: [UInt64] = []) -> RecoveredState {
        let log = entries.enumerated().map { offset, term in
            Entry(term: Term(term), index: LogIndex(UInt64(offset) + 1), payload: .noop)
        }
        return RecoveredState(
            hardState: HardState(term: Term(term)), entries: log,
            foundingMembership: Membership(voters: CoreCluster.ids))
    }

    @Test func threeFreshNodesElectOneLeader() throws {
        var cluster = CoreCluster()
        let elected = cluster.electAny()
        let leader = try #require(elected)
        #expect(cluster.nodes.values.allSatisfy { $0.core.status.leader == leader })
        #expect(cluster.nodes.values.allSatisfy { $0.core.term == Term(1) })
    }

    @Test func aSingleNodeLeadsItself() {
        var cluster = CoreCluster([NodeID(1)])
        #expect(cluster.electAny() == NodeID(1))
        let id = cluster.propose(at: 1)
        #expect(cluster.hasApplied(id, at: 1))
    }

    @Test("lower-term node under pre-vote never elected (etcd#8243): its longer log elects it")
    func lowerTermWithLongerLogIsElected() {
        var cluster = CoreCluster(recovered: [
            NodeID(1): recovered(term: 2, entries: [1, 2]), NodeID(2): recovered(term: 7, entries: [1]),
            NodeID(3): recovered(term: 7, entries: [1]),
        ])
        cluster.nodes[NodeID(3)]!.isStopped = true
        #expect(cluster.electAny() == NodeID(1))
        #expect(cluster[1].term > Term(7))
    }

    @Test("rejected pre-vote must spread the higher term (openraft#1796)")
    func refusedPreVoteSpreadsTheTerm() {
        var cluster = CoreCluster(recovered: [NodeID(2): recovered(term: 9)])
        cluster.run(.milliseconds(60), ticking: [])
        cluster.deliver(.preVoteRequest(request(term: 3)), from: 1, to: 2)
        let reply = cluster[2].ready().messages.first?.message
        guard case .preVoteReply(let refusal) = reply else {
            Issue.record("no reply: \(String(describing: reply))")
            return
        }
        #expect(!refusal.granted && refusal.term == Term(9))
        cluster.deliver(.preVoteReply(refusal), from: 2, to: 1)
        #expect(cluster[1].term == Term(9))
    }

    @Test("granting a pre-vote must not reset the timer (hashicorp/raft#609)")
    func preVoteLeavesTheTimer() {
        var cluster = CoreCluster()
        cluster.run(.milliseconds(48), ticking: [])
        let deadline = cluster[2].nextDeadline
        cluster.deliver(.preVoteRequest(request(term: 0)), from: 1, to: 2)
        #expect(cluster[2].nextDeadline == deadline)
        cluster.deliver(.voteRequest(request(term: 1)), from: 1, to: 2)
        #expect(cluster[2].nextDeadline != deadline)
    }

    @Test("quorumless leader kept alive through a bridge node (openraft#2080): it steps down")
    func bridgedLeaderStepsDown() {
        let ids = (1...5).map { NodeID($0) }
        var cluster = CoreCluster(ids)
        cluster.elect(1)
        // 1 and 3 hear each other, 3 hears all, the others do not hear 1.
        cluster.holds = { sent in
            let ends: Set = [sent.from.number, sent.to.number]
            return ends.contains(1) && !ends.contains(3)
        }
        cluster.run(.milliseconds(400))
        #expect(cluster[1].role != .leader)
        #expect(cluster.leader != nil)
    }

    @Test("duplicate vote counted twice: it counts once")
    func doubledVoteCountsOnce() {
        let ids = (1...5).map { NodeID($0) }
        var cluster = CoreCluster(ids)
        cluster.holds = { sent in
            if case .voteReply = sent.message { return true }
            return false
        }
        cluster.run(.milliseconds(80), ticking: [NodeID(1)])
        #expect(cluster[1].role == .candidate)
        let reply = cluster.held.first { $0.to == NodeID(1) }
        guard let reply else {
            Issue.record("no vote was sent")
            return
        }
        for _ in 0..<3 { cluster.deliver(reply.message, from: reply.from.number, to: 1) }
        #expect(cluster[1].role == .candidate)
    }

    @Test func aVoteForAFormerSelfDoesNotCount() {
        var cluster = CoreCluster()
        cluster.isolate(1)
        cluster.run(.milliseconds(80), ticking: [NodeID(1)])
        let contact = ContactAge(term: nil, age: .seconds(1))
        let stale = VoteReply(term: cluster[1].term, attempt: 12345, granted: true, contact: contact)
        cluster.deliver(.preVoteReply(stale), from: 2, to: 1)
        #expect(cluster[1].role == .preCandidate)
    }

    @Test func oneVoteATerm() {
        var cluster = CoreCluster()
        cluster.run(.milliseconds(60), ticking: [])
        cluster.forgetSent()
        cluster.holds = { _ in true }
        cluster.deliver(.voteRequest(request(term: 5)), from: 1, to: 2)
        cluster.deliver(.voteRequest(request(term: 5)), from: 3, to: 2)
        cluster.settle()
        let granted = cluster.sent.compactMap { sent -> NodeID? in
            if case .voteReply(let reply) = sent.message, reply.granted { sent.to } else { nil }
        }
        #expect(granted == [NodeID(1)])
    }

    @Test func aVoteIsToldOnlyWhenItIsDurable() {
        var cluster = CoreCluster()
        cluster.run(.milliseconds(60), ticking: [])
        cluster.forgetSent()
        cluster.holds = { _ in true }
        cluster.nodes[NodeID(2)]!.diskIsStalled = true
        cluster.deliver(.voteRequest(request(term: 5)), from: 1, to: 2)
        cluster.settle()
        #expect(cluster.sent.isEmpty)
        cluster.unstallDisk(of: 2)
        #expect(cluster.sent.count == 1)
    }

    @Test("stalled leader disk (hashicorp/raft#503): with one a node does not win, nor make the terms pass by")
    func stalledDiskWinsNothing() {
        var cluster = CoreCluster()
        cluster.nodes[NodeID(1)]!.diskIsStalled = true
        cluster.run(.milliseconds(600), ticking: [NodeID(1)])
        #expect(cluster[1].role == .candidate && cluster[1].term == Term(1))
        cluster.unstallDisk(of: 1)
        #expect(cluster[1].role == .leader)
    }

    @Test func aVoterThatHearsItsLeaderRefuses() {
        var cluster = CoreCluster()
        cluster.elect(1)
        let last = LogPosition(term: Term(99), index: LogIndex(99))
        cluster.deliver(.voteRequest(request(term: 99, last: last)), from: 3, to: 2)
        #expect(cluster[2].term == cluster[1].term)
    }

    @Test func proofOfDeathStartsAnElectionAtOnce() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.nodes[NodeID(1)]!.isStopped = true
        for id in [UInt64(2), 3] { cluster[id].leaderProcessGone(NodeID(1), at: cluster.now) }
        cluster.run(.milliseconds(2))
        #expect(cluster.leader == NodeID(2))
        #expect(cluster[2].commit < cluster[2].last.index)
        cluster.run(Timing.lan.leaseGuard)
        #expect(cluster[2].commit == cluster[2].last.index)
    }

    @Test func absurdNumbersAreIgnored() {
        var cluster = CoreCluster()
        let huge = LogPosition(term: Term(.max), index: LogIndex(.max))
        cluster.deliver(.voteRequest(request(term: .max, last: huge)), from: 1, to: 2)
        cluster.deliver(.newerTerm(NewerTerm(term: Term(.max))), from: 1, to: 2)
        let append = AppendRequest(term: Term(1), previous: huge, entries: [], commit: LogIndex(.max))
        cluster.deliver(.appendRequest(append), from: 1, to: 2)
        #expect(cluster[2].term == Term(0))
    }
}
