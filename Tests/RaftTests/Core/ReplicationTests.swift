import Posix
import Raft
import Testing

@Suite struct ReplicationTests {
    private func entry(_ index: UInt64, _ term: UInt64) -> Entry {
        Entry(term: Term(term), index: LogIndex(index), payload: .noop)
    }

    private func append(term: UInt64, after: (UInt64, UInt64), _ entries: [Entry], commit: UInt64 = 0) -> Message {
        .appendRequest(
            AppendRequest(
                term: Term(term), previous: LogPosition(term: Term(after.1), index: LogIndex(after.0)),
                entries: entries, commit: LogIndex(commit)))
    }

    private func replies(_ ready: Ready) -> [AppendReply.Outcome] {
        ready.messages.compactMap { if case .appendReply(let reply) = $0.message { reply.outcome } else { nil } }
    }

    @Test func aProposalAtAFollowerIsAppliedEverywhere() {
        var cluster = CoreCluster()
        cluster.elect(1)
        let id = cluster.propose(at: 3)
        for node in 1...3 { #expect(cluster.hasApplied(id, at: UInt64(node))) }
    }

    @Test func manyProposalsOfATurnAreOneMessageAPeer() {
        var cluster = CoreCluster()
        cluster.elect(1)
        for sequence in 0..<50 {
            cluster[1].propose(ProposalID(node: NodeID(1), boot: 2, sequence: UInt64(sequence)), [1], at: cluster.now)
        }
        let ready = cluster[1].ready()
        let appends = ready.messages.filter { $0.message.lane == .bulk }
        #expect(appends.count == 2)
        #expect(ready.write?.entries.count == 50)
    }

    @Test("previous-term entry committed by counting (nats-server#7955): never (Raft paper, figure 8)")
    func earlierTermIsNotCommittedByCounting() {
        let log = [entry(1, 1), entry(2, 2)]
        let founding = Membership(voters: (1...5).map { NodeID($0) })
        let recovered = RecoveredState(
            hardState: HardState(term: Term(3)), entries: log, foundingMembership: founding)
        let ids = founding.voters
        var cluster = CoreCluster(ids, recovered: [NodeID(1): recovered, NodeID(2): recovered])
        // The followers get the old entries, but the no-op of the new term stays away.
        cluster.holds = { sent in
            guard case .appendRequest(let request) = sent.message else { return false }
            return request.entries.contains { $0.term > Term(2) }
        }
        cluster.run(.milliseconds(300), ticking: [NodeID(1)])
        #expect(cluster[1].role == .leader)
        let term = cluster[1].term
        for peer in UInt64(2)...5 {
            let reply = AppendReply(term: term, outcome: .matched(LogIndex(2)))
            cluster.deliver(.appendReply(reply), from: peer, to: 1)
        }
        #expect(cluster[1].commit == .zero)
        for peer in UInt64(2)...3 {
            let reply = AppendReply(term: term, outcome: .matched(LogIndex(3)))
            cluster.deliver(.appendReply(reply), from: peer, to: 1)
        }
        #expect(cluster[1].commit == LogIndex(3))
    }

    @Test("stale or reordered acknowledgements take nothing back")
    func staleAcknowledgements() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        for _ in 0..<5 { cluster.propose(at: 1) }
        let term = cluster[1].term
        let before = try #require(cluster[1].status.peers.first { $0.id == NodeID(2) }).matched
        cluster.deliver(.appendReply(AppendReply(term: term, outcome: .matched(LogIndex(1)))), from: 2, to: 1)
        let conflict = AppendReply.Outcome.conflict(rejected: LogIndex(1), hint: .zero)
        cluster.deliver(.appendReply(AppendReply(term: term, outcome: conflict)), from: 2, to: 1)
        let absurd = AppendReply(term: term, outcome: .matched(LogIndex(999)))
        cluster.deliver(.appendReply(absurd), from: 2, to: 1)
        #expect(cluster[1].status.peers.first { $0.id == NodeID(2) }?.matched == before)
        #expect(cluster[1].ready().messages.allSatisfy { $0.message.lane == .control })
    }

    @Test("a late append does not cut off what came after it")
    func lateAppendTruncatesNothing() {
        var cluster = CoreCluster()
        cluster.deliver(append(term: 1, after: (0, 0), [entry(1, 1), entry(2, 1), entry(3, 1)]), from: 1, to: 2)
        cluster.deliver(append(term: 1, after: (0, 0), [entry(1, 1)]), from: 1, to: 2)
        #expect(cluster[2].last.index == LogIndex(3))
    }

    @Test("async write ABA: a finished write does not vouch for entries that were replaced meanwhile and came back")
    func finishedWriteOfReplacedEntries() throws {
        var cluster = CoreCluster()
        cluster.deliver(append(term: 1, after: (0, 0), [entry(1, 1), entry(2, 1)]), from: 1, to: 2)
        let firstReady = cluster[2].ready()
        let first = try #require(firstReady.write)
        cluster.deliver(append(term: 2, after: (1, 1), [entry(2, 2)]), from: 3, to: 2)
        let secondReady = cluster[2].ready()
        let second = try #require(secondReady.write)
        // A third leader holds what the first one sent.
        cluster.deliver(append(term: 3, after: (1, 1), [entry(2, 1), entry(3, 3)]), from: 1, to: 2)
        let thirdReady = cluster[2].ready()
        let third = try #require(thirdReady.write)
        cluster[2].persisted(first.id, at: cluster.now)
        #expect(cluster[2].status.durable == LogIndex(1))
        cluster[2].persisted(second.id, at: cluster.now)
        #expect(cluster[2].status.durable == LogIndex(1))
        cluster[2].persisted(third.id, at: cluster.now)
        #expect(cluster[2].status.durable == LogIndex(3))
        #expect(replies(cluster[2].ready()) == [.matched(LogIndex(3))])
    }

    @Test func anAppendIsAcknowledgedOnlyWhenDurable() throws {
        var cluster = CoreCluster()
        cluster.deliver(append(term: 1, after: (0, 0), [entry(1, 1)]), from: 1, to: 2)
        let ready = cluster[2].ready()
        #expect(replies(ready).isEmpty)
        cluster.deliver(append(term: 1, after: (0, 0), [entry(1, 1)]), from: 1, to: 2)
        #expect(replies(cluster[2].ready()).isEmpty)
        cluster[2].persisted(try #require(ready.write).id, at: cluster.now)
        #expect(replies(cluster[2].ready()) == [.matched(LogIndex(1))])
    }

    @Test func theLeaderCountsItselfOnlyWhenDurable() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.nodes[NodeID(1)]!.diskIsStalled = true
        cluster.nodes[NodeID(3)]!.isStopped = true
        let id = cluster.propose(at: 1)
        #expect(!cluster.hasApplied(id, at: 1))
        cluster.unstallDisk(of: 1)
        #expect(cluster.hasApplied(id, at: 1))
    }

    @Test("stalled leader disk (hashicorp/raft#503): the others commit while it stalls")
    func stalledLeaderDiskDoesNotStopTheOthers() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.nodes[NodeID(1)]!.diskIsStalled = true
        let id = cluster.propose(at: 1)
        #expect(cluster.hasApplied(id, at: 2))
        #expect(cluster[1].lease?.isHeld(at: cluster.now) == true)
    }

    @Test("stalled leader disk (hashicorp/raft#503): in a whole cluster the leader gives up, and the others go on")
    func stalledLeaderDiskCostsTheLeadership() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.nodes[NodeID(1)]!.diskIsStalled = true
        cluster.propose(at: 1)
        cluster.run(.milliseconds(600))
        let next = try #require(cluster.leader)
        #expect(next != NodeID(1) && cluster[1].role == .follower)
        let term = cluster[next.number].term
        let id = cluster.propose(at: next.number)
        #expect(cluster.hasApplied(id, at: next.number))
        cluster.run(.seconds(2))
        #expect(cluster.leader == next && cluster[next.number].term == term, "the stalled node disturbs nobody")
        cluster.unstallDisk(of: 1)
        cluster.run(.milliseconds(100))
        #expect(cluster.hasApplied(id, at: 1))
    }

    @Test func conflictingSuffixIsReplacedAndItsProposerTold() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.isolate(1)
        let lost = cluster.propose(at: 1)
        cluster.elect(2)
        let kept = cluster.propose(at: 2)
        cluster.release()
        cluster.run(.milliseconds(100))
        #expect(cluster.hasApplied(kept, at: 1) && !cluster.hasApplied(lost, at: 1))
        #expect(cluster.nodes[NodeID(1)]!.failedProposals.contains { $0.id == lost && $0.reason == .superseded })
    }

    @Test func backOffSkipsWholeTerms() {
        let long = (1...200).map { entry(UInt64($0), $0 <= 10 ? 1 : 2) }
        let other = (1...200).map { entry(UInt64($0), $0 <= 10 ? 1 : 3) }
        func recovered(_ entries: [Entry], _ term: UInt64) -> RecoveredState {
            RecoveredState(
                hardState: HardState(term: Term(term)), entries: entries,
                foundingMembership: Membership(voters: CoreCluster.ids))
        }
        var cluster = CoreCluster(recovered: [
            NodeID(1): recovered(other, 3), NodeID(2): recovered(long, 2), NodeID(3): recovered(other, 3),
        ])
        cluster.elect(1)
        let refusals = cluster.sent.filter { sent in
            guard case .appendReply(let reply) = sent.message, case .conflict = reply.outcome else { return false }
            return true
        }
        #expect(cluster[2].last == cluster[1].last)
        #expect(refusals.count <= 2)
    }

    @Test func tooMuchUncommittedIsRefused() {
        var limits = Limits()
        limits.uncommittedBytes = 1000
        limits.proposalBytes = 600
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        cluster.holds = { _ in true }
        for _ in 0..<3 { cluster.propose(Array(repeating: 0, count: 500), at: 1) }
        cluster.propose(Array(repeating: 0, count: 601), at: 1)
        #expect(cluster.nodes[NodeID(1)]!.failedProposals.map(\.reason) == [.overloaded, .tooLarge])
    }

    @Test func theWindowBoundsWhatIsUnderWay() {
        var limits = Limits()
        limits.messageEntries = 1
        limits.messagesInFlight = 4
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        cluster.holds = { $0.to == NodeID(2) }
        cluster.forgetSent()
        for _ in 0..<10 { cluster.propose(at: 1) }
        let appends = cluster.sent.filter { $0.to == NodeID(2) && $0.message.lane == .bulk }
        #expect(appends.count == 4)
    }

    @Test func aLostTailIsSentAgain() {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.holds = { $0.to == NodeID(2) && $0.message.lane == .bulk }
        let id = cluster.propose(at: 1)
        cluster.holds = { _ in false }
        #expect(!cluster.hasApplied(id, at: 2))
        cluster.run(.milliseconds(70))
        #expect(cluster.hasApplied(id, at: 2))
    }

    @Test func malformedAppendsAreIgnored() {
        var cluster = CoreCluster()
        cluster.deliver(append(term: 1, after: (0, 0), [entry(2, 1)]), from: 1, to: 2)
        cluster.deliver(append(term: 1, after: (0, 0), [entry(1, 1), entry(1, 1)]), from: 1, to: 2)
        cluster.deliver(append(term: 1, after: (0, 0), [entry(1, 5)]), from: 1, to: 2)
        #expect(cluster[2].last == .zero)
    }

    @Test func bulkNeverSharesALaneWithHeartbeats() {
        let heartbeat = Heartbeat(term: Term(1), stamp: .never, commit: .zero)
        #expect(Message.heartbeat(heartbeat).lane == .control)
        #expect(append(term: 1, after: (0, 0), []).lane == .bulk)
    }
}
