import Posix
import Raft
import Testing

@Suite struct SnapshotTests {
    private static let members = Membership(voters: CoreCluster.ids)

    private var limits: Limits {
        var limits = Limits()
        limits.snapshotChunkBytes = 10
        limits.snapshotChunksInFlight = 2
        limits.retainedEntries = 0
        return limits
    }

    private func entry(_ index: UInt64, _ term: UInt64) -> Entry {
        Entry(term: Term(term), index: LogIndex(index), payload: .noop)
    }

    /// A leader whose log is compacted, and 3 has none of it.
    private func trailing(state: Int = 95) -> CoreCluster {
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        cluster.holds = { $0.from == NodeID(3) || $0.to == NodeID(3) }
        for _ in 0..<20 { cluster.propose(at: 1) }
        compact(&cluster, 1, state: state)
        return cluster
    }

    private func compact(_ cluster: inout CoreCluster, _ number: UInt64, state: Int) {
        let bytes = (0..<state).map { UInt8(truncatingIfNeeded: $0) }
        let snapshot = cluster[number].snapshot(ofAppliedState: bytes)
        cluster[number].snapshotTaken(snapshot, at: cluster.now)
    }

    @Test(arguments: [0, 1, 10, 95])
    func aMemberThatTrailsTooFarGetsTheSnapshotInChunks(bytes: Int) {
        var cluster = trailing(state: bytes)
        cluster.holds = { _ in false }
        cluster.run(.milliseconds(100), ticking: [NodeID(1)])
        #expect(cluster.nodes[NodeID(3)]!.restored.map(\.state.count) == [bytes])
        #expect(cluster[3].applied == cluster[1].commit)
        let id = cluster.propose(at: 1)
        #expect(cluster.hasApplied(id, at: 3))
    }

    @Test("follower restarts mid-snapshot: the leader begins again where the follower says")
    func followerRestartsMidSnapshot() {
        var cluster = trailing()
        var chunks = 0
        cluster.holds = { sent in
            guard case .snapshotChunk = sent.message else { return false }
            chunks += 1
            return chunks > 4
        }
        cluster.run(.milliseconds(100), ticking: [NodeID(1)])
        #expect(chunks > 4)
        cluster.add(NodeID(3), recovered: RecoveredState(foundingMembership: Self.members), limits: limits)
        cluster.holds = { _ in false }
        cluster.run(.milliseconds(200), ticking: [NodeID(1)])
        #expect(cluster[3].applied == cluster[1].commit)
    }

    @Test("big snapshot blocks heartbeats: one under way delays none")
    func heartbeatsGoOnDuringASnapshot() {
        var cluster = trailing(state: 5000)
        cluster.holds = { $0.message.lane == .bulk }
        cluster.forgetSent()
        cluster.run(.milliseconds(100), ticking: [NodeID(1)])
        let heartbeats = cluster.sent.filter { sent in
            if case .heartbeat = sent.message, sent.to == NodeID(3) { true } else { false }
        }
        #expect(heartbeats.count >= 10)
        #expect(cluster[1].role == .leader)
    }

    @Test("conflicting entry kept at the snapshot index (hashicorp/raft#697): the log from it on is dropped")
    func contradictingLogIsDropped() {
        let snapshot = Snapshot(index: LogIndex(2), term: Term(2), membership: Self.members, state: [1])
        let recovered = RecoveredState(
            hardState: HardState(term: Term(2)), snapshot: snapshot,
            entries: [entry(1, 1), entry(2, 1), entry(3, 1)], foundingMembership: Self.members)
        let core = Raft(Settings(id: NodeID(1), seed: 1), recovered: recovered, at: .zero)
        #expect(core.last == LogPosition(term: Term(2), index: LogIndex(2)))
    }

    @Test func aLogThatContinuesTheSnapshotIsKept() {
        let snapshot = Snapshot(index: LogIndex(2), term: Term(1), membership: Self.members, state: [1])
        let recovered = RecoveredState(
            hardState: HardState(term: Term(1)), snapshot: snapshot,
            entries: [entry(1, 1), entry(2, 1), entry(3, 1)], foundingMembership: Self.members)
        let core = Raft(Settings(id: NodeID(1), seed: 1), recovered: recovered, at: .zero)
        #expect(core.last.index == LogIndex(3) && core.commit == LogIndex(2) && core.applied == LogIndex(2))
    }

    @Test func aGapAfterTheSnapshotEndsTheLog() {
        let snapshot = Snapshot(index: LogIndex(2), term: Term(1), membership: Self.members, state: [1])
        let recovered = RecoveredState(
            snapshot: snapshot, entries: [entry(4, 1), entry(5, 1)], foundingMembership: Self.members)
        let core = Raft(Settings(id: NodeID(1), seed: 1), recovered: recovered, at: .zero)
        #expect(core.last.index == LogIndex(2))
    }

    @Test("disk full during snapshot but log purged (braft#461): nothing goes before the snapshot is durable")
    func compactionWaitsForTheSnapshot() {
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        for _ in 0..<5 { cluster.propose(at: 1) }
        let snapshot = cluster[1].snapshot(ofAppliedState: [1])
        #expect(cluster[1].entry(at: LogIndex(1)) != nil)
        cluster[1].snapshotTaken(snapshot, at: cluster.now)
        #expect(cluster[1].entry(at: LogIndex(1)) == nil)
        #expect(cluster[1].snapshotIndex == snapshot.index)
    }

    @Test("applied index and state not atomic (etcd v3.5): a snapshot has the index that its state applied")
    func snapshotIndexIsTheAppliedOne() {
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        cluster.propose(at: 1)
        let applied = cluster[1].applied
        cluster[1].propose(ProposalID(node: NodeID(1), boot: 5, sequence: 5), [1], at: cluster.now)
        #expect(cluster[1].snapshot(ofAppliedState: []).index == applied)
    }

    @Test("membership missing from the snapshot: it is part of it, as it was at its index")
    func membershipTravelsWithTheSnapshot() throws {
        var cluster = trailing()
        try cluster[1].changeMembership(.addLearner(NodeID(4)), at: cluster.now)
        cluster.settle()
        compact(&cluster, 1, state: 30)
        cluster.holds = { _ in false }
        cluster.run(.milliseconds(100), ticking: [NodeID(1)])
        #expect(cluster[3].membership.learners == [NodeID(4)])
        #expect(cluster.nodes[NodeID(3)]!.restored.last?.membership.learners == [NodeID(4)])
    }

    @Test func aMemberThatHasTheEntriesNeedsNoInstalling() {
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        for _ in 0..<5 { cluster.propose(at: 1) }
        let last = cluster[3].last
        let chunk = SnapshotChunk(
            term: cluster[1].term, last: last, membership: Self.members, totalBytes: 1, offset: 0, bytes: [7])
        cluster.deliver(.snapshotChunk(chunk), from: 1, to: 3)
        cluster.settle()
        #expect(cluster.nodes[NodeID(3)]!.restored.isEmpty)
        #expect(cluster[3].last == last)
    }

    @Test func absurdChunksAreIgnored() {
        var cluster = CoreCluster()
        let last = LogPosition(term: Term(1), index: LogIndex(50))
        func chunk(total: UInt64, offset: UInt64, bytes: Int) -> Message {
            .snapshotChunk(
                SnapshotChunk(
                    term: Term(1), last: last, membership: Self.members, totalBytes: total, offset: offset,
                    bytes: Array(repeating: 0, count: bytes)))
        }
        cluster.deliver(chunk(total: .max, offset: 0, bytes: 5), from: 1, to: 2)
        cluster.deliver(chunk(total: 4, offset: 0, bytes: 5), from: 1, to: 2)
        cluster.deliver(chunk(total: 4, offset: 9, bytes: 0), from: 1, to: 2)
        cluster.deliver(chunk(total: 4, offset: 2, bytes: 2), from: 1, to: 2)
        #expect(cluster[2].last == .zero && cluster[2].ready().restore == nil)
    }

    @Test func entriesAreRetainedForMembersThatTrailALittle() {
        var limits = limits
        limits.retainedEntries = 10
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        cluster.holds = { $0.from == NodeID(3) || $0.to == NodeID(3) }
        for _ in 0..<8 { cluster.propose(at: 1) }
        compact(&cluster, 1, state: 30)
        cluster.release()
        cluster.run(.milliseconds(100), ticking: [NodeID(1)])
        #expect(cluster.nodes[NodeID(3)]!.restored.isEmpty)
        #expect(cluster[3].applied == cluster[1].commit)
    }
}
