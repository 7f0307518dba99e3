import Gateway
import Posix
import Raft
import Testing

/// Commands at random, over few names so that they meet.
private struct CommandSource {
    var random: RandomSource
    private var clock: Int64 = 0

    init(seed: UInt64) { random = RandomSource(seed: seed) }

    private mutating func backend() -> BackendKey {
        let address = SocketAddress(ip: IPAddress(v4: 0x0a00_0001 + random.below(4)), port: 80)
        return BackendKey(upstream: random.below(2) == 0 ? "a" : "b", address: address)
    }

    private mutating func node() -> NodeID { NodeID(UInt64(1 + random.below(5))) }

    private mutating func term() -> Term { Term(UInt64(clock / 10) + UInt64(random.below(3))) }

    private mutating func verdict() -> HealthVerdict {
        let status = HealthStatus.allCases[Int(random.below(3))]
        return HealthVerdict(status, reason: "reason \(random.below(2))")
    }

    mutating func next(at revision: Revision) -> Command {
        clock += 1
        let stamp = WallTime(millisecondsSince1970: clock)
        switch random.below(8) {
        case 0:
            let backends = Set((0..<random.below(6)).map { _ in backend() }).sorted()
            return .applyConfiguration(
                ConfigurationChange(
                    source: String(repeating: "x", count: Int(random.below(400_000))), backends: backends,
                    virtualAddresses: [],
                    expectedRevision: random.below(2) == 0 ? nil : Revision(UInt64(random.below(3)) + revision.number),
                    author: "eva", at: stamp))
        case 1:
            let mode = BackendMode.allCases[Int(random.below(3))]
            return .setBackendMode(BackendModeChange(backend: backend(), mode: mode, author: "eva", at: stamp))
        case 2: return .leaderElected(LeaderRecord(node: node(), term: term(), at: stamp))
        case 3:
            let holder = random.below(3) == 0 ? nil : node()
            return .virtualAddressesMoved(VirtualAddressRecord(holder: holder, term: term(), at: stamp))
        case 4:
            let id = node()
            return .describeMember(
                MemberRecord(id: id, name: "gw\(id)", raft: "", admin: "", version: "\(random.below(2))"), at: stamp)
        case 5: return .forgetReports(of: [node(), node()], at: stamp)
        case _:
            let backends = Set((0..<random.below(5)).map { _ in backend() }).sorted()
            let changes = backends.map { HealthReportChange.Change($0, verdict()) }
            return .reportHealth(HealthReportChange(node: node(), changes: changes, at: stamp))
        }
    }
}

private func checkInvariants(_ state: ClusterState, _ comment: Comment) {
    #expect(state.journal.entries.count <= ClusterState.Limit.journal, comment)
    #expect(state.history.count <= ClusterState.Limit.history, comment)
    #expect(state.history.reduce(0) { $0 + $1.source.utf8.count } <= ClusterState.Limit.historyBytes, comment)
    let sequences = state.journal.entries.map(\.sequence)
    #expect(sequences == sequences.indices.map { state.journal.nextSequence - UInt64(sequences.count - $0) }, comment)
    let revisions = state.history.map(\.revision)
    #expect(revisions == revisions.sorted() && revisions.allSatisfy { $0 < state.revision }, comment)
    for record in state.backends.values {
        let nodes = record.reports.map(\.node)
        #expect(nodes == Set(nodes).sorted(), comment)
        #expect(record.reports.allSatisfy { $0.verdict.status != .unknown }, comment)
    }
}

@Suite struct ClusterStateWalkTests {
    /// One replica applies commands, another their binary forms and restarts from its snapshot now and then.
    @Test(arguments: 0..<8 as Range<UInt64>) func replicasStayEqual(seed: UInt64) throws {
        var source = CommandSource(seed: seed)
        var (one, two) = (ClusterState(), ClusterState())
        for step in 0..<300 {
            let comment: Comment = "seed \(seed), step \(step)"
            let command = source.next(at: one.revision)
            let before = one
            let outcome = one.apply(command)
            #expect(two.apply(try Command(decoding: command.encoded())) == outcome, comment)
            // Compared outside of the expectation, which would print megabytes.
            let isChanged = one != before
            switch outcome {
            case .applied, .configured, .keyChanged: #expect(isChanged, comment)
            case .unchanged, .refused: #expect(!isChanged, comment)
            }
            #expect(one.revision >= before.revision, comment)
            #expect((one.leader?.term ?? .zero) >= (before.leader?.term ?? .zero), comment)
            checkInvariants(one, comment)
            if source.random.below(20) == 0 { two = try ClusterState(decoding: two.encoded()) }
        }
        let areEqual = one == two && one.encoded() == two.encoded()
        #expect(areEqual, "seed \(seed)")
    }
}
