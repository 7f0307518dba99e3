import Gateway
import Posix
import Raft
import Testing

@Suite struct SnapshotArchiveTests {
    private static func archive() -> SnapshotArchive {
        var state = ReplicatedState()
        let change = ConfigurationChange(
            source: "{}", backends: [], virtualAddresses: [], expectedRevision: nil, author: "eva", at: .now())
        _ = state.apply(.cluster(.applyConfiguration(change)))
        _ = state.apply(.key(KeyChange(key: KeyName("a/b")!, value: [1, 2], condition: .any, at: .now())))
        return SnapshotArchive(
            of: state, through: LogIndex(17), term: Term(3), cluster: "web", by: NodeID(2), at: .now())
    }

    @Test func whatIsWrittenIsRead() throws {
        let archive = Self.archive()
        let read = try SnapshotArchive(decoding: archive.encoded())
        #expect(read == archive)
        #expect(read.keyCount == 1 && read.revision == Revision(1))
        #expect(try read.replicatedState().keys.records[KeyName("a/b")!]?.value == [1, 2])
    }

    @Test func noChangedByteAndNoPartIsTaken() throws {
        let bytes = Self.archive().encoded()
        for offset in bytes.indices {
            var damaged = bytes
            damaged[offset] ^= 0x10
            #expect(throws: SnapshotArchive.Fault.self) { try SnapshotArchive(decoding: damaged) }
            #expect(throws: SnapshotArchive.Fault.self) { try SnapshotArchive(decoding: Array(bytes[..<offset])) }
        }
        #expect(throws: SnapshotArchive.Fault.self) { try SnapshotArchive(decoding: bytes + [0]) }
    }

    @Test func aNewClusterHasTheMembersThatItIsBegunWithAndNoOthers() {
        var state = ReplicatedState()
        for id in UInt64(1)...4 {
            let record = MemberRecord(
                id: NodeID(id), name: "gw\(id)", raft: "10.0.0.\(id):8101", admin: "10.0.0.\(id):8091", version: "")
            _ = state.apply(.cluster(.changeMember(MemberChange(.add(record, votes: true), author: "", at: .now()))))
        }
        for id in [UInt64(3), 5] {
            _ = state.apply(.cluster(.changeMember(MemberChange(.remove(NodeID(id)), author: "", at: .now()))))
        }
        let leader = LeaderRecord(node: NodeID(4), term: Term(9), at: .now())
        _ = state.apply(.cluster(.leaderElected(leader)))
        var other = state
        state.beginAgain(with: [NodeID(1), NodeID(2), NodeID(3)])
        #expect(state.cluster.members.keys.sorted() == [NodeID(1), NodeID(2), NodeID(3)])
        #expect(state.cluster.aims == [NodeID(5): .removed])
        #expect(state.cluster.leader == nil)
        other.beginAgain(with: [NodeID(3), NodeID(2), NodeID(1)])
        #expect(other.encoded() == state.encoded())
    }

    @Test func whoStandsAloneRemovesAllOthersAndIsPromoted() {
        var state = ReplicatedState()
        let record = MemberRecord(id: NodeID(4), name: "gw4", raft: "10.0.0.4:1", admin: "10.0.0.4:2", version: "")
        _ = state.apply(.cluster(.changeMember(MemberChange(.add(record, votes: false), author: "", at: .now()))))
        let membership = Membership(voters: [NodeID(1), NodeID(2)], learners: [NodeID(4)])
        let commands = state.commands(leaving: NodeID(4), of: membership, at: .now())
        let wishes = commands.compactMap { command -> MemberChange.Wish? in
            guard case .changeMember(let change) = command else { return nil }
            return change.wish
        }
        #expect(wishes == [.promote(NodeID(4)), .remove(NodeID(1)), .remove(NodeID(2))])
    }
}
