import Posix
import Raft
import Simulation
import Synchronization
import Testing

@Suite struct DiskThreadTests {
    /// A disk on which snapshots wait until the test lets them go.
    private final class SlowSnapshots: Disk {
        struct File: Sendable {
            var file: MemoryDisk.File
            var isSnapshot: Bool
        }

        let memory = MemoryDisk()
        private let isOpen = Mutex(false)
        private let board = EventBoard()

        func letGo() {
            isOpen.withLock { $0 = true }
            board.notify()
        }

        func createDirectory(_ path: String) throws(SystemError) { try memory.createDirectory(path) }
        func names(in directory: String) throws(SystemError) -> [String] { try memory.names(in: directory) }
        func contents(of path: String) throws(SystemError) -> [UInt8] { try memory.contents(of: path) }
        func create(_ path: String, reserving bytes: Int) throws(SystemError) -> File {
            File(file: try memory.create(path, reserving: bytes), isSnapshot: path.contains("/snapshots/"))
        }
        func open(_ path: String) throws(SystemError) -> File { File(file: try memory.open(path), isSnapshot: false) }
        func write(_ bytes: [UInt8], to file: File, at offset: Int) throws(SystemError) {
            if file.isSnapshot { _ = board.wait(seconds: 60) { isOpen.withLock { $0 } } }
            try memory.write(bytes, to: file.file, at: offset)
        }
        func sync(_ file: File) throws(SystemError) { try memory.sync(file.file) }
        func rename(_ old: String, to new: String) throws(SystemError) { try memory.rename(old, to: new) }
        func remove(_ path: String) throws(SystemError) { try memory.remove(path) }
        func syncDirectory(_ path: String) throws(SystemError) { try memory.syncDirectory(path) }
    }

    /// What a disk thread said, in order.
    private final class Said: Sendable {
        let board = EventBoard()
        private let lines = Mutex<[String]>([])

        func note<D: Disk>(_ completion: DiskThread<D>.Completion) {
            let line =
                switch completion {
                case .written(let ticket): "written \(ticket.number)"
                case .snapshotSaved(let snapshot): "saved \(snapshot.index)"
                case .failed: "failed"
                }
            lines.withLock { $0.append(line) }
            board.notify()
        }

        var all: [String] { lines.withLock { $0 } }

        func waits(for line: String) -> Bool { board.wait(seconds: 20) { all.contains(line) } }
    }

    private func thread<D: Disk>(on disk: D, _ said: Said) throws -> DiskThread<D> {
        var recovered = NodeStorage<D>.Recovered()
        let owner = NodeStorage<D>.Owner(cluster: "test", node: NodeID(1), newIncarnation: 7, created: "now")
        let storage = try NodeStorage.open("/data", disk: disk, owner: owner, into: &recovered)
        return try DiskThread(storage) { said.note($0) }
    }

    private func vote(_ term: UInt64) -> WriteTicket {
        WriteTicket(
            id: .init(term), hardState: HardState(term: Term(term), vote: NodeID(2)), snapshot: nil, entries: [])
    }

    private var snapshot: Snapshot {
        Snapshot(index: LogIndex(5), term: Term(1), membership: Membership(voters: [NodeID(1)]), state: [])
    }

    @Test("big snapshot blocks heartbeats: one that is being saved delays no vote and no entry")
    func aSnapshotDelaysNoVote() throws {
        let disk = SlowSnapshots()
        let said = Said()
        let thread = try thread(on: disk, said)
        try thread.start()
        #expect(thread.submit(.write(vote(1))))
        #expect(thread.submit(.snapshot(snapshot, state: { [1, 2, 3] })))
        #expect(thread.submit(.write(vote(2))))
        #expect(said.waits(for: "written 2"))
        #expect(!said.all.contains("saved 5"))
        disk.letGo()
        #expect(said.waits(for: "saved 5"))
        #expect(thread.submit(.forget(before: LogIndex(5))))
        thread.stop()
        #expect(disk.memory.paths.contains { $0.hasSuffix("5.snapshot") })
    }

    @Test("fsync failure: after the first one neither thread writes any more", arguments: 0..<2)
    func afterAFailureNothingIsWritten(operation: Int) throws {
        let disk = MemoryDisk()
        let said = Said()
        let thread = try thread(on: disk, said)
        try thread.start()
        disk.fail(after: operation)
        #expect(thread.submit(.write(vote(1))))
        #expect(said.waits(for: "failed"))
        let operations = disk.operations
        #expect(thread.submit(.write(vote(2))))
        #expect(thread.submit(.snapshot(snapshot, state: { [1] })))
        thread.stop()
        #expect(said.all == ["failed"] && disk.operations == operations)
    }

    @Test("fsync failure: one of a snapshot stops the writing of the log too")
    func aFailedSnapshotStopsTheLog() throws {
        let disk = MemoryDisk()
        let said = Said()
        let thread = try thread(on: disk, said)
        try thread.start()
        disk.fail(after: 2)
        #expect(thread.submit(.snapshot(snapshot, state: { [1] })))
        #expect(said.waits(for: "failed"))
        #expect(thread.submit(.write(vote(1))))
        thread.stop()
        #expect(said.all == ["failed"])
    }
}
