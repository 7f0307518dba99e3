import Posix
import Raft
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(2)))
struct RaftNodeTests {
    @Test func proposalsAtAnyNodeAreAppliedAtAll() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let leader = try cluster.leader()
        let follower = try cluster.follower()
        #expect(await cluster.propose([1], at: leader) == .success(0))
        #expect(await cluster.propose([2], at: follower) == .success(1))
        let everywhere = cluster.board.wait { cluster.members.allSatisfy { cluster.commands(at: $0) == [[1], [2]] } }
        #expect(everywhere)
    }

    @Test func aReadSeesWhatWasWrittenElsewhere() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let leader = try cluster.leader()
        let follower = try cluster.follower()
        #expect(await cluster.propose([7], at: leader) == .success(0))
        let barrier = await cluster.read(at: follower)
        #expect((try? barrier.get()) != nil)
        #expect(cluster.commands(at: follower) == [[7]])
    }

    @Test func aSingleNodeServesAndComesBack() async throws {
        let cluster = TestCluster(1)
        try cluster.start()
        #expect(await cluster.propose([1], at: NodeID(1)) == .success(0))
        cluster.stop(NodeID(1))
        try cluster.start()
        #expect(await cluster.propose([2], at: NodeID(1)) == .success(1))
        #expect(cluster.commands(at: NodeID(1)) == [[1], [2]])
    }

    @Test func theWholeClusterRestartsFromDisk() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let leader = try cluster.leader()
        for value in 0..<20 { #expect(await cluster.propose([UInt8(value)], at: leader) == .success(value)) }
        cluster.stopAll()
        try cluster.start()
        let next = try cluster.leader()
        #expect(await cluster.propose([99], at: next) == .success(20))
        let expected = (0..<20).map { [UInt8($0)] } + [[99]]
        #expect(cluster.board.wait { cluster.members.allSatisfy { cluster.commands(at: $0) == expected } })
    }

    @Test func anotherNodeTakesOverFromADeadLeader() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let first = try cluster.leader()
        #expect(await cluster.propose([1], at: first) == .success(0))
        cluster.stop(first)
        let second = try cluster.leader()
        #expect(second != first)
        #expect(await cluster.propose([2], at: second) == .success(1))
        try cluster.start(first)
        #expect(cluster.board.wait { cluster.commands(at: first) == [[1], [2]] })
    }

    @Test func leadershipIsHandedOverAtAGracefulStop() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let first = try cluster.leader()
        #expect(await cluster.propose([1], at: first) == .success(0))
        cluster.stop(first, graceful: true)
        let second = try cluster.leader()
        #expect(await cluster.propose([2], at: second) == .success(1))
    }

    @Test func aNodeThatWasAwayCatchesUpByLog() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let away = try cluster.follower()
        cluster.stop(away)
        let leader = try cluster.leader()
        for value in 0..<50 { #expect(await cluster.propose([UInt8(value)], at: leader) == .success(value)) }
        try cluster.start(away)
        #expect(cluster.board.wait { cluster.commands(at: away).count == 50 })
        #expect(cluster.journals[away]!.restored.withLock { $0 } == 0)
    }

    @Test func aNodeThatWasAwayForLongCatchesUpBySnapshot() async throws {
        let cluster = TestCluster(3)
        cluster.options = { options in
            options.snapshot.entries = 20
            options.limits.retainedEntries = 5
            options.limits.snapshotChunkBytes = 100
        }
        try cluster.start()
        let away = try cluster.follower()
        cluster.stop(away)
        let leader = try cluster.leader()
        for value in 0..<100 { #expect(await cluster.propose([UInt8(value)], at: leader) == .success(value)) }
        try cluster.start(away)
        #expect(cluster.board.wait { cluster.commands(at: away).count == 100 })
        #expect(cluster.journals[away]!.restored.withLock { $0 } >= 1)
        // What came as a snapshot is on its disk too.
        #expect(await cluster.propose([200], at: away) == .success(100))
        cluster.stop(away)
        try cluster.start(away)
        #expect(await cluster.propose([201], at: away) == .success(101))
        #expect(cluster.commands(at: away).count == 102)
    }

    @Test func aRestartedFollowerCatchesUpWithoutAnotherWrite() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let leader = try cluster.leader()
        let away = try cluster.follower()
        #expect(await cluster.propose([1], at: leader) == .success(0))
        #expect(cluster.board.wait { cluster.commands(at: away) == [[1]] })
        cluster.stop(away)
        try cluster.start(away)
        // The leader knows that the log of the restarted node matches, and has nothing new to send.
        #expect(cluster.board.wait(seconds: 10) { cluster.commands(at: away) == [[1]] })
    }

    @Test func withoutQuorumProposalsEndInTime() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let leader = try cluster.leader()
        for other in cluster.members where other != leader { cluster.stop(other) }
        let result = await cluster.propose([1], at: leader, seconds: 1)
        #expect(result == .failure(.timedOut) || result == .failure(.noLeader))
        #expect(await cluster.read(at: leader, seconds: 1) != .success(LogIndex(0)))
    }

    @Test func proposalsInFlightAreAnsweredWhenTheNodeStops() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let leader = try cluster.leader()
        for other in cluster.members where other != leader { cluster.stop(other) }
        let node = cluster.nodes[leader]!
        async let result = withCheckedContinuation { (continuation: CheckedContinuation<_, Never>) in
            node.propose([1], timeout: .seconds(60)) { continuation.resume(returning: $0) }
        }
        node.perform { _ in }
        cluster.stop(leader)
        let ended = await result
        #expect(ended == .failure(.stopping) || ended == .failure(.noLeader))
        let late = await withCheckedContinuation { continuation in
            node.propose([1], timeout: .seconds(60)) { continuation.resume(returning: $0) }
        }
        #expect(late == .failure(.stopping))
    }

    @Test func nodesLearnWhatTheOthersPublish() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        for (id, node) in cluster.nodes { node.publish(info: [UInt8(id.number), 1]) }
        for (id, node) in cluster.nodes { node.publish(info: [UInt8(id.number), 2]) }
        let known = cluster.board.wait {
            cluster.members.allSatisfy { id in
                let infos = cluster.journals[id]!.infos.withLock { $0 }
                return cluster.members.allSatisfy { $0 == id || infos[$0] == [UInt8($0.number), 2] }
            }
        }
        #expect(known)
    }

    @Test func notesReachOneNodeInTheirOrder() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let sender = try cluster.leader()
        let receiver = try cluster.follower()
        cluster.nodes[sender]!.publish(info: [0])
        // The lane for it is open then.
        #expect(cluster.board.wait { cluster.journals[receiver]!.infos.withLock { $0[sender] == [0] } })
        let notes = (1...3).map { [UInt8](repeating: $0, count: 1 << 20) }
        for note in notes { cluster.nodes[sender]!.send(note: note, to: receiver) }
        #expect(cluster.board.wait { cluster.journals[receiver]!.notes.withLock { $0[sender] == notes } })
        for (id, journal) in cluster.journals where id != receiver { #expect(journal.notes.withLock { $0.isEmpty }) }
    }

    @Test func aRemovedNodeIsToldSoAndStopsAlsoWhenItComesBack() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let leader = try cluster.leader()
        let gone = try cluster.follower()
        _ = try await cluster.propose([1], at: leader).get()
        let refusal = await withCheckedContinuation { continuation in
            cluster.nodes[leader]!.changeMembership(.remove(gone)) { continuation.resume(returning: $0) }
        }
        try #require(refusal == nil)
        let others = cluster.nodes.filter { $0.key != gone }.map(\.value)
        let isOut = cluster.board.wait {
            others.allSatisfy { $0.status?.raft.committedMembership.contains(gone) == false }
        }
        try #require(isOut)
        for node in others { node.connect(to: cluster.book.filter { $0.id != gone }, removed: [gone]) }
        for _ in 1...2 {
            let hasStopped = cluster.board.wait { cluster.journals[gone]!.failure.withLock { $0 == .removed } }
            #expect(hasStopped)
            cluster.stop(gone)
            try cluster.start(gone)
            for node in others { node.connect(to: cluster.book.filter { $0.id != gone }, removed: [gone]) }
        }
        _ = try await cluster.propose([2], at: leader).get()
    }

    /// In a log segment: in the record of term and vote that it begins with.
    private static let placeOfFirstTerm = 90

    @Test("corruption on a minority (Jepsen NATS 2.12.1): the damaged node refuses to start, the others lose nothing")
    func aDamagedNodeRefusesToStartAndTheOthersGoOn() async throws {
        let cluster = TestCluster(3)
        try cluster.start()
        let leader = try cluster.leader()
        let damaged = try cluster.follower()
        for value in 0..<10 { #expect(await cluster.propose([UInt8(value)], at: leader) == .success(value)) }
        cluster.stop(damaged)
        let disk = FileSystem()
        let path = "\(cluster.directory.path)/\(damaged)/wal/00000000000000000001.wal"
        let byte = try disk.contents(of: path)[Self.placeOfFirstTerm]
        try disk.write([byte ^ 4], to: disk.open(path), at: Self.placeOfFirstTerm)
        let error = #expect(throws: RaftNodeError.self) { try TestCluster.Node(cluster.makeOptions(damaged)) }
        #expect("\(error!)".contains("\(path): damaged at byte"))
        #expect(await cluster.propose([99], at: leader) == .success(10))
    }

    @Test func aSecondProcessInTheSameDirectoryIsRefused() throws {
        let cluster = TestCluster(1)
        try cluster.start()
        let error = #expect(throws: RaftNodeError.self) { try TestCluster.Node(cluster.makeOptions(NodeID(1))) }
        #expect("\(error!)".contains("in use by process"))
    }

    @Test func aDirectoryOfAnotherNodeIsRefused() throws {
        let cluster = TestCluster(1)
        try cluster.start()
        cluster.stopAll()
        cluster.options = { $0.cluster = "other" }
        let error = #expect(throws: RaftNodeError.self) { try TestCluster.Node(cluster.makeOptions(NodeID(1))) }
        #expect("\(error!)".contains("holds the data of node 1 of cluster 'test'"))
    }
}
