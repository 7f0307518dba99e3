import Posix
import Raft
import Simulation
import Testing

/// A data directory made from a snapshot, or changed to stand alone, is after a crash at any operation either as it
/// should be, or refused, or as before.
struct NewClusterTests {
    private typealias Storage = NodeStorage<MemoryDisk>

    private static let owner = Storage.Owner(
        cluster: "test", node: NodeID(2), newIncarnation: 0x1234_5678_9abc_def0, created: "now")
    private static let snapshot = Snapshot(
        index: LogIndex(40), term: Term(7), membership: Membership(voters: [NodeID(1), NodeID(2), NodeID(3)]),
        state: [UInt8](repeating: 7, count: 3000))
    private static let incarnation = ClusterIncarnation(number: 0x5f3a)

    private func open(_ disk: MemoryDisk, into recovered: inout Storage.Recovered) throws(StorageError) -> Storage {
        try Storage.open("/data", disk: disk, owner: Self.owner, into: &recovered)
    }

    private func recovered(_ disk: MemoryDisk) throws(StorageError) -> Storage.Recovered {
        var recovered = Storage.Recovered()
        _ = try open(disk, into: &recovered)
        return recovered
    }

    /// Every disk that a crash at any operation of `body` can leave of `disk`.
    private func crashes(of disk: MemoryDisk, _ body: (MemoryDisk) throws -> Void) throws -> [MemoryDisk] {
        let whole = disk.copy()
        let before = whole.operations
        try body(whole)
        var left: [MemoryDisk] = []
        for operation in 0...(whole.operations - before) {
            let stopped = disk.copy()
            stopped.stop(after: operation)
            try? body(stopped)
            for tear in [MemoryDisk.Tear.nothingWritten, .everythingWritten] {
                for arrived in [false, true] {
                    let crashed = stopped.copy()
                    crashed.losePower(tear, renamesArrived: arrived)
                    left.append(crashed)
                }
            }
        }
        return left
    }

    private func restore(_ disk: MemoryDisk) throws(StorageError) {
        try Storage.restore(
            Self.snapshot, in: "/data", disk: disk, owner: Self.owner, cluster: Self.incarnation)
    }

    @Test func aRestoredDirectoryIsWholeOrRefusedOrNothing() throws {
        let disks = try crashes(of: MemoryDisk(), restore)
        var whole = 0
        for disk in disks {
            do throws(StorageError) {
                let found = try recovered(disk)
                // A founding node with nothing: the restored ones do not talk to it.
                if found.snapshot == nil {
                    #expect(found.peers.cluster == nil && found.hardState == HardState())
                    continue
                }
                #expect(found.snapshot == Self.snapshot)
                #expect(found.hardState == HardState(term: Term(7)) && found.entries.isEmpty)
                #expect(found.peers.cluster == Self.incarnation)
                whole += 1
            } catch {
                guard case .mismatch(_, let problem) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(problem.contains("no file 'identity'"))
            }
        }
        #expect(whole > 0)
    }

    @Test func onlyAnEmptyDirectoryIsRestored() throws {
        let disk = MemoryDisk()
        try restore(disk)
        #expect(throws: StorageError.self) { try restore(disk) }
    }

    @Test func aNodeThatStandsAloneHasItsIncarnationFirstAndAllItsEntries() throws {
        let disk = MemoryDisk()
        var start = Storage.Recovered()
        var storage = try open(disk, into: &start)
        let entries = (1...3).map { Entry(term: Term(4), index: LogIndex($0), payload: .noop) }
        try storage.persist([
            WriteTicket(
                id: .init(1), hardState: HardState(term: Term(5), vote: NodeID(3)), snapshot: nil, entries: entries)
        ])
        let stand = { (disk: MemoryDisk) throws in
            var found = Storage.Recovered()
            var storage = try open(disk, into: &found)
            try storage.standAlone(after: found, running: [[1], [2]], boot: 9, cluster: Self.incarnation)
        }
        var outcomes: Set<Int> = []
        for disk in try crashes(of: disk, stand) {
            let found = try recovered(disk)
            outcomes.insert(found.entries.count)
            #expect(Array(found.entries.prefix(3)) == entries)
            if found.entries.count == 3 { continue }
            #expect(found.peers.cluster == Self.incarnation)
            #expect(found.hardState == HardState(term: Term(6)))
            #expect(found.entries.map(\.index.number) == [1, 2, 3, 4, 5, 6])
            #expect(found.entries.last?.payload == .membership(Membership(voters: [NodeID(2)])))
        }
        #expect(outcomes == [3, 6])
    }

    @Test func incarnationsAreTheSameForWhatIsTheSameOnly() {
        let nodes = [NodeID(1), NodeID(2)]
        let one = ClusterIncarnation(token: "a", stateChecksum: 1, members: nodes)
        #expect(one == ClusterIncarnation(token: "a", stateChecksum: 1, members: nodes.reversed()))
        #expect(one != ClusterIncarnation(token: "b", stateChecksum: 1, members: nodes))
        #expect(one != ClusterIncarnation(token: "a", stateChecksum: 2, members: nodes))
        #expect(one != ClusterIncarnation(token: "a", stateChecksum: 1, members: [NodeID(1)]))
        #expect(ClusterIncarnation(one.description) == one)
    }

    @Test(arguments: [
        ("web", "web", true), ("web", "app", false), ("web@5f", "web@5f", true), ("web@5f", "web", false),
        ("web@5f", "web@60", false), ("web@?", "web@5f", true), ("web", "web@?", true), ("web@?", "app@5f", false),
        ("web@0", "web@5f", false), ("web@05f", "web@5f", false), ("web@", "web", false),
    ])
    func titlesGoTogether(one: String, other: String, goes: Bool) {
        #expect(ClusterTitle(one).goes(with: ClusterTitle(other)) == goes)
        #expect(ClusterTitle(other).goes(with: ClusterTitle(one)) == goes)
        #expect(ClusterTitle(one).description == one)
    }
}
