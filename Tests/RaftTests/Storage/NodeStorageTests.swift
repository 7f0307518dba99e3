import Glibc
import Posix
import Raft
import Simulation
import Testing

/// Storage under crashes at every operation, torn writes, failed syncs and flipped bits: it recovers to what was
/// acknowledged, or refuses and says where.
struct NodeStorageTests {
    private static let script = StorageScript.standard
    private static let owner = NodeStorage<MemoryDisk>.Owner(
        cluster: "test", node: NodeID(1), newIncarnation: 0x1234_5678_9abc_def0, created: "now")

    private struct Run {
        var isMade = false
        /// Steps that returned without an error.
        var acknowledged = 0
        var error: StorageError?
    }

    private func open(
        _ disk: MemoryDisk, into content: inout StorageScript.Content
    ) throws(StorageError) -> NodeStorage<MemoryDisk> {
        var recovered = NodeStorage<MemoryDisk>.Recovered()
        let storage = try NodeStorage.open(
            "/data", disk: disk, owner: Self.owner, options: .init(segmentBytes: 2048), into: &recovered)
        content = StorageScript.Content(
            hardState: recovered.hardState, snapshot: recovered.snapshot, entries: recovered.entries)
        return storage
    }

    private func play(on disk: MemoryDisk) -> Run {
        var run = Run()
        var content = StorageScript.Content()
        do throws(StorageError) {
            var storage = try open(disk, into: &content)
            run.isMade = true
            for step in Self.script.steps {
                switch step {
                case .persist(let ticket): try storage.persist([ticket])
                case .snapshot(let snapshot):
                    try storage.snapshots.save(snapshot)
                    try storage.forget(before: snapshot.index)
                }
                run.acknowledged += 1
            }
        } catch { run.error = error }
        return run
    }

    /// What was acknowledged, or that with all or the first part of the step that was under way.
    private func isRight(_ content: StorageScript.Content, after run: Run) -> Bool {
        let before = Self.script.contents[run.acknowledged]
        let after = Self.script.contents[min(run.acknowledged + 1, Self.script.contents.count - 1)]
        var stateOnly = before
        stateOnly.hardState = after.hardState
        return content == before || content == after || content == stateOnly
    }

    /// Opens, checks, writes one more entry, opens again, and finds that too.
    private func check(_ disk: MemoryDisk, after run: Run, _ what: String) {
        var content = StorageScript.Content()
        do throws(StorageError) {
            var storage = try open(disk, into: &content)
            #expect(isRight(content, after: run), "\(what): \(content) after \(run)")
            let next = (content.entries.last?.index ?? content.snapshot?.index ?? .zero).next
            let entry = Entry(term: Term(9), index: next, payload: .noop)
            let state = HardState(term: Term(9), vote: NodeID(2))
            try storage.persist([WriteTicket(id: .init(900), hardState: state, snapshot: nil, entries: [entry])])
        } catch {
            Issue.record("\(what): \(error)")
            return
        }
        var again = StorageScript.Content()
        do throws(StorageError) { _ = try open(disk, into: &again) } catch { Issue.record("\(what), again: \(error)") }
        #expect(again.hardState.term == Term(9), "\(what)")
        #expect(again.entries.dropLast() == content.entries[...], "\(what)")
        #expect(again.snapshot == content.snapshot, "\(what)")
    }

    @Test func allIsThereAfterACleanRun() {
        let disk = MemoryDisk()
        let run = play(on: disk)
        #expect(run.error == nil)
        check(disk, after: run, "clean")
        let segments = disk.files.keys.filter { $0.hasSuffix(".wal") }.sorted()
        #expect(segments.count > 1)
        #expect(segments[0] > "/data/wal/00000000000000000003.wal", "those before the snapshot were removed")
    }

    @Test func aCrashBeforeAnyOperationRecoversWhatWasAcknowledged() {
        let all = MemoryDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            let disk = MemoryDisk()
            disk.stop(after: operation)
            let run = play(on: disk)
            for tear in [MemoryDisk.Tear.nothingWritten, .everythingWritten] {
                for arrived in [false, true] {
                    let crashed = disk.copy()
                    crashed.losePower(tear, renamesArrived: arrived)
                    check(crashed, after: run, "operation \(operation), \(tear), names \(arrived)")
                }
            }
        }
    }

    @Test("torn write and zero tail: every prefix of the last write is cut off")
    func everyTornPrefixIsCutOff() {
        let all = MemoryDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            let disk = MemoryDisk()
            disk.stop(after: operation)
            let run = play(on: disk)
            guard disk.longestPending > 0 else { continue }
            for length in 0...disk.longestPending {
                let crashed = disk.copy()
                crashed.losePower(.prefix(length))
                check(crashed, after: run, "operation \(operation), \(length) bytes")
            }
        }
    }

    @Test("torn write and zero tail: every set of missing sectors of the last write is cut off")
    func everySetOfMissingSectorsIsCutOff() {
        let all = MemoryDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            let disk = MemoryDisk()
            disk.stop(after: operation)
            let run = play(on: disk)
            let sectors = min((disk.longestPending + 1023) / 512, 6)
            guard sectors > 1 else { continue }
            for missing in 0..<UInt64(1) << UInt64(sectors) {
                let crashed = disk.copy()
                crashed.losePower(.missingSectors(missing))
                check(crashed, after: run, "operation \(operation), missing \(missing)")
            }
        }
    }

    @Test("fsync failure (Rebello et al. 2020): after the first failed operation nothing is written any more")
    func afterAFailureNothingIsWritten() throws {
        let all = MemoryDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            let disk = MemoryDisk()
            disk.fail(after: operation)
            var content = StorageScript.Content()
            guard var storage = try? open(disk, into: &content) else { continue }
            var failure: StorageError?
            for case .persist(let ticket) in Self.script.steps where failure == nil {
                do throws(StorageError) { try storage.persist([ticket]) } catch { failure = error }
            }
            guard let failure else { continue }
            let operations = disk.operations
            let later = WriteTicket(id: .init(800), hardState: HardState(term: Term(8)), snapshot: nil, entries: [])
            #expect(throws: failure) { try storage.persist([later]) }
            #expect(throws: failure) { try storage.forget(before: LogIndex(1)) }
            #expect(disk.operations == operations, "operation \(operation)")
        }
    }

    /// After a failed sync the kernel may show what it did not write as though it were written. What a restart reads
    /// there has to be durable before anybody is told of it.
    @Test("fsync failure (Rebello et al. 2020): what a failed sync left in memory is not taken for durable")
    func whatAFailedSyncLeftInMemoryIsWrittenAgain() {
        let all = MemoryDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            for dropsPages in [false, true] {
                let disk = MemoryDisk()
                disk.fail(after: operation, dropsPages: dropsPages)
                let run = play(on: disk)
                disk.goOn()
                var restarted = StorageScript.Content()
                do throws(StorageError) { _ = try open(disk, into: &restarted) } catch {
                    Issue.record("operation \(operation), restart: \(error)")
                }
                #expect(isRight(restarted, after: run), "operation \(operation)")
                disk.losePower(.nothingWritten, renamesArrived: false)
                var again = StorageScript.Content()
                do throws(StorageError) { _ = try open(disk, into: &again) } catch {
                    Issue.record("operation \(operation), after the loss of power: \(error)")
                }
                #expect(again == restarted, "operation \(operation)")
            }
        }
    }

    /// A process ends, another takes over what it left, and only then the machine loses its power.
    @Test func whatARestartedProcessReadIsDurable() {
        let all = MemoryDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            let disk = MemoryDisk()
            disk.stop(after: operation)
            let run = play(on: disk)
            disk.goOn()
            var restarted = StorageScript.Content()
            do throws(StorageError) { _ = try open(disk, into: &restarted) } catch {
                Issue.record("operation \(operation), restart: \(error)")
            }
            #expect(isRight(restarted, after: run), "operation \(operation)")
            disk.losePower(.nothingWritten, renamesArrived: false)
            var again = StorageScript.Content()
            do throws(StorageError) { _ = try open(disk, into: &again) } catch {
                Issue.record("operation \(operation), after the loss of power: \(error)")
            }
            #expect(again == restarted, "operation \(operation)")
        }
    }

    @Test("disk full during snapshot but log purged (braft#461): the log stays until the snapshot is durable")
    func aFullDiskDuringASnapshotLosesNothing() throws {
        let disk = MemoryDisk()
        let before = play(on: disk)
        let expected = Self.script.contents[before.acknowledged]
        let snapshot = Snapshot(
            index: try #require(expected.entries.last).index, term: Term(4),
            membership: Membership(voters: [NodeID(1), NodeID(2)]), state: [UInt8](repeating: 7, count: 3000))
        // Each operation that saves a snapshot finds the disk full in its turn.
        for operation in 0..<4 {
            let full = disk.copy()
            var content = StorageScript.Content()
            let storage = try open(full, into: &content)
            full.fail(after: operation, error: ENOSPC)
            let failure = #expect(throws: StorageError.self) { try storage.snapshots.save(snapshot) }
            #expect("\(failure!)".contains("No space left on device"))
            full.losePower(.nothingWritten, renamesArrived: false)
            check(full, after: before, "full at operation \(operation)")
        }
    }

    @Test("suffix truncated front-to-back: after a crash the old suffix is there or the new one")
    func aReplacedSuffixIsTheOldOrTheNewOne() throws {
        func entries(_ range: ClosedRange<UInt64>, term: UInt64) -> [Entry] {
            range.map { Entry(term: Term(term), index: LogIndex($0), payload: .noop) }
        }
        let disk = MemoryDisk()
        var content = StorageScript.Content()
        var storage = try open(disk, into: &content)
        let first = WriteTicket(id: .init(1), hardState: nil, snapshot: nil, entries: entries(1...30, term: 1))
        try storage.persist([first])
        let new = entries(1...4, term: 1) + entries(5...7, term: 2)
        for operations in 0...3 {
            for seed in UInt64(0)..<50 {
                let crashing = disk.copy()
                var storage = try open(crashing, into: &content)
                crashing.stop(after: operations)
                let replacing = WriteTicket(
                    id: .init(2), hardState: nil, snapshot: nil, entries: entries(5...7, term: 2))
                let isDone = (try? storage.persist([replacing])) != nil
                crashing.goOn()
                crashing.losePower(.drawn(SplitMix64(seed: seed)))
                var found = StorageScript.Content()
                _ = try open(crashing, into: &found)
                #expect(found.entries == new || !isDone && found.entries == first.entries)
            }
        }
    }

    @Test("applied index and state not atomic (etcd v3.5): both come from one file, before a crash and after it")
    func aSnapshotsStateBelongsToItsIndex() throws {
        let all = MemoryDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            for seed in UInt64(0)..<4 {
                let disk = MemoryDisk()
                disk.stop(after: operation)
                _ = play(on: disk)
                disk.goOn()
                disk.losePower(.drawn(SplitMix64(seed: seed)))
                var content = StorageScript.Content()
                _ = try open(disk, into: &content)
                guard let snapshot = content.snapshot else { continue }
                #expect(snapshot.state.allSatisfy { $0 == UInt8(snapshot.index.number) })
                #expect(content.entries.first.map { $0.index == snapshot.index.next } ?? true)
            }
        }
    }

    @Test("a batch with sectors of zeros is not taken for a torn write when a bit of it is flipped")
    func zerosByRightAreNotATornWrite() throws {
        let disk = MemoryDisk()
        var content = StorageScript.Content()
        var storage = try open(disk, into: &content)
        let zeros = [UInt8](repeating: 0, count: 1600)
        let id = ProposalID(node: NodeID(1), boot: 1, sequence: 1)
        let entry = Entry(term: Term(1), index: LogIndex(1), payload: .command(id, zeros))
        try storage.persist([WriteTicket(id: .init(1), hardState: nil, snapshot: nil, entries: [entry])])
        let path = try #require(disk.paths.last { $0.hasSuffix(".wal") })
        let place = try #require(disk.files[path]?.lastIndex { $0 != 0 })
        for offset in place - 1500...place {
            let damaged = disk.copy()
            damaged.flip(bit: 3, ofByte: offset, in: path)
            var found = StorageScript.Content()
            // The bytes between the last record and the trailer say nothing.
            let opens = (try? open(damaged, into: &found)) != nil
            #expect(!opens || found.entries == [entry], "byte \(offset)")
        }
    }

    @Test("corruption on a minority (Jepsen NATS 2.12.1): a flipped bit is found, or harmless")
    func aFlippedBitIsFoundOrHarmless() {
        let disk = MemoryDisk()
        let run = play(on: disk)
        var refused = 0
        for (path, bytes) in disk.files.sorted(by: { $0.key < $1.key }) {
            for offset in bytes.indices {
                let damaged = disk.copy()
                damaged.flip(bit: offset % 8, ofByte: offset, in: path)
                var content = StorageScript.Content()
                do throws(StorageError) {
                    _ = try open(damaged, into: &content)
                    #expect(content == Self.script.contents[run.acknowledged], "\(path) byte \(offset)")
                } catch {
                    refused += 1
                    guard case .damaged(let file, _, _) = error else {
                        Issue.record("\(path) byte \(offset): \(error)")
                        continue
                    }
                    #expect(file.hasPrefix("/data/"), "\(path) byte \(offset): \(error)")
                }
            }
        }
        #expect(refused > 1000)
    }

    @Test("newest log segment lost unnoticed: every missing file is noticed")
    func aMissingFileIsNoticed() {
        let disk = MemoryDisk()
        _ = play(on: disk)
        for path in disk.paths {
            let damaged = disk.copy()
            damaged.lose(path)
            var content = StorageScript.Content()
            #expect(throws: StorageError.self, "\(path)") { _ = try open(damaged, into: &content) }
        }
    }
}
