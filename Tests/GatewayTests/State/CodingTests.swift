import Gateway
import Posix
import Raft
import Testing

private let stamp = WallTime(millisecondsSince1970: 1_763_000_000_000)
private let backend = BackendKey(upstream: "a", address: SocketAddress("10.0.0.1:80")!)
private let other = BackendKey(upstream: "b", address: SocketAddress("[fd00::1]:80")!)

private let newMember = MemberRecord(
    id: NodeID(4), name: "gw4", raft: "127.0.0.1:8104", admin: "127.0.0.1:8094", version: "")

private let commands: [Command] = [
    .applyConfiguration(
        ConfigurationChange(
            source: "{ /* caf\u{e9} */ }", backends: [backend, other],
            virtualAddresses: [IPAddress("192.0.2.1")!, IPAddress("2001:db8::1")!], expectedRevision: nil,
            author: "eva", at: stamp)),
    .applyConfiguration(
        ConfigurationChange(
            source: "{}", backends: [backend, other], virtualAddresses: [], expectedRevision: Revision(1),
            author: "", at: stamp)),
    .setBackendMode(BackendModeChange(backend: backend, mode: .draining, author: "eva", at: stamp)),
    .reportHealth(
        HealthReportChange(
            node: NodeID(1),
            changes: [
                .init(backend, HealthVerdict(.down, reason: "status 503")),
                .init(other, HealthVerdict(.up, reason: "connected")),
            ], at: stamp)),
    .leaderElected(LeaderRecord(node: NodeID(2), term: Term(7), at: stamp)),
    .virtualAddressesMoved(VirtualAddressRecord(holder: NodeID(2), term: Term(7), at: stamp)),
    .virtualAddressesMoved(VirtualAddressRecord(holder: nil, term: Term(7), at: stamp)),
    .describeMember(
        MemberRecord(id: NodeID(2), name: "gw2", raft: "127.0.0.1:8102", admin: "127.0.0.1:8092", version: "1.0"),
        at: stamp),
    .forgetReports(of: [NodeID(3)], at: stamp),
    .changeMember(MemberChange(.add(newMember, votes: true), author: "eva", at: stamp)),
    .changeMember(MemberChange(.add(newMember, votes: false), author: "eva", at: stamp)),
    .changeMember(MemberChange(.promote(NodeID(4)), author: "eva", at: stamp)),
    .changeMember(MemberChange(.remove(NodeID(3)), author: "eva", at: stamp)),
    .changeMember(MemberChange(.drain(NodeID(3)), author: "eva", at: stamp)),
    .changeMember(MemberChange(.undrain(NodeID(3)), author: "eva", at: stamp)),
    .forgetMembers([NodeID(3)], at: stamp),
    .moveLeadership(LeadershipMove(to: NodeID(2), author: "eva", at: stamp)),
    .moveLeadership(LeadershipMove(to: nil, author: "eva", at: stamp)),
    .changeLoan(LoanChange(IPAddress("192.0.2.1")!, from: nil, to: .lent(NodeID(3)), term: Term(4))),
    .changeLoan(
        LoanChange(
            IPAddress("2001:db8::1")!, from: Loan(NodeID(2), isRecalled: true, isLong: true, number: 9), to: .short,
            term: Term(4))),
]

private func fault(in bytes: [UInt8]) -> DecodingFault? {
    do throws(DecodingFault) {
        _ = try Command(decoding: bytes)
        return nil
    } catch {
        return error
    }
}

@Suite struct CommandCodingTests {
    @Test(arguments: commands) func roundTrip(command: Command) throws {
        #expect(try Command(decoding: command.encoded()) == command)
    }

    @Test(arguments: commands) func everyShorterFormIsTruncated(command: Command) {
        let bytes = command.encoded()
        for count in bytes.indices { #expect(fault(in: Array(bytes.prefix(count))) == .truncated(offset: count)) }
        #expect(fault(in: bytes + [0]) == .trailingBytes(offset: bytes.count))
    }

    @Test func unknownVersionAndKindAreRefused() {
        #expect(fault(in: [99, 1, 0]) == .unknownVersion(99))
        #expect(fault(in: [3, 99]) == .invalid(what: "kind of command", offset: 1))
    }

    @Test(arguments: ["x", "\u{e9}", "\u{1f600}"]) func longTextsForPeopleAreCutOffAndStayReadable(piece: String) throws
    {
        let long = "a" + String(repeating: piece, count: 1000)
        let verdict = HealthVerdict(.down, reason: long)
        #expect(long.hasPrefix(verdict.reason))
        #expect(Command.Limit.reasonBytes - 3...Command.Limit.reasonBytes ~= verdict.reason.utf8.count)
        let command = Command.setBackendMode(
            BackendModeChange(backend: backend, mode: .draining, author: long, at: stamp))
        #expect(try Command(decoding: command.encoded()) == command)
    }

    @Test func hugeLengthsAreRefusedBeforeAnythingIsAllocated() {
        let huge: [UInt8] = [3, 7, 0xff, 0xff, 0xff, 0xff]
        #expect(fault(in: huge) == .tooLong(what: "nodes", limit: Command.Limit.nodes, offset: 2))
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func damageNeverTraps(seed: UInt64) {
        var random = RandomSource(seed: seed)
        for command in commands {
            var bytes = command.encoded()
            for _ in 0...random.below(3) {
                bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
            }
            var state = ClusterState()
            if let damaged = try? Command(decoding: bytes) { _ = state.apply(damaged) }
        }
    }
}

@Suite struct SnapshotCodingTests {
    private func state() -> ClusterState {
        var state = ClusterState()
        for command in commands { _ = state.apply(command) }
        return state
    }

    @Test func roundTrip() throws {
        #expect(try ClusterState(decoding: ClusterState().encoded()) == ClusterState())
        #expect(try ClusterState(decoding: state().encoded()) == state())
    }

    @Test func restoredStateGoesOnLikeTheOriginal() throws {
        var original = state()
        var restored = try ClusterState(decoding: original.encoded())
        for command in commands.reversed() { #expect(original.apply(command) == restored.apply(command)) }
        #expect(original == restored)
        #expect(original.encoded() == restored.encoded())
    }

    @Test func everyShorterFormIsAFault() {
        let bytes = state().encoded()
        for count in bytes.indices {
            #expect(throws: DecodingFault.truncated(offset: count)) {
                try ClusterState(decoding: Array(bytes.prefix(count)))
            }
        }
        #expect(throws: DecodingFault.unknownVersion(9)) { try ClusterState(decoding: [9]) }
    }

    @Test(arguments: 0..<500 as Range<UInt64>) func damageNeverTraps(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var bytes = state().encoded()
        for _ in 0...random.below(4) {
            bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
        }
        guard var damaged = try? ClusterState(decoding: bytes) else { return }
        for command in commands { _ = damaged.apply(command) }
    }
}
