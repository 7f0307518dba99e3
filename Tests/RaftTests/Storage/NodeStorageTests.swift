import Posix
import Raft
import Testing

/// Storage under crashes at every operation, torn writes, failed syncs and flipped bits: it recovers to what was
/// acknowledged, or refuses and says where.
struct NodeStorageTests {
    private static let script = StorageScript.standard
    private static let owner = NodeStorage<CrashingDisk>.Owner(
        cluster: "test", node: NodeID(1), newIncarnation: 0x1234_5678_9abc_def0, created: "now")

    private struct Run {
        var isMade = false
        /// Steps that returned without an error.
        var acknowledged = 0
        var error: StorageError?
    }

    private func open(
        _ disk: CrashingDisk, into content: inout StorageScript.Content
    ) throws(StorageError) -> NodeStorage<CrashingDisk> {
        var recovered = NodeStorage<CrashingDisk>.Recovered()
        let storage = try NodeStorage.open(
            "/data", disk: disk, owner: Self.owner, options: .init(segmentBytes: 2048), into: &recovered)
        content = StorageScript.Content(
            hardState: recovered.hardState, snapshot: recovered.snapshot, entries: recovered.entries)
        return storage
    }

    private func play(on disk: CrashingDisk) -> Run {
        var run = Run()
        var content = StorageScript.Content()
        do throws(StorageError) {
            var storage = try open(disk, into: &content)
            run.isMade = true
            for step in Self.script.steps {
                switch step {
                case .persist(let ticket): try storage.persist([ticket])
                case .snapshot(let snapshot): try storage.save(snapshot)
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
    private func check(_ disk: CrashingDisk, after run: Run, _ what: String) {
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
        let disk = CrashingDisk()
        let run = play(on: disk)
        #expect(run.error == nil)
        check(disk, after: run, "clean")
        let segments = disk.files.keys.filter { $0.hasSuffix(".wal") }.sorted()
        #expect(segments.count > 1)
        #expect(segments[0] > "/data/wal/00000000000000000003.wal", "those before the snapshot were removed")
    }

    @Test func aCrashBeforeAnyOperationRecoversWhatWasAcknowledged() {
        let all = CrashingDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            let disk = CrashingDisk(fault: .stop(before: operation))
            let run = play(on: disk)
            for tear in [CrashingDisk.Tear.nothingWritten, .everythingWritten] {
                for arrived in [false, true] {
                    let crashed = disk.afterCrash(tear, renamesArrived: arrived)
                    check(crashed, after: run, "operation \(operation), \(tear), names \(arrived)")
                }
            }
        }
    }

    @Test func everyTornPrefixIsCutOff() {
        let all = CrashingDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            let disk = CrashingDisk(fault: .stop(before: operation))
            let run = play(on: disk)
            guard disk.longestPending > 0 else { continue }
            for length in 0...disk.longestPending {
                let crashed = disk.afterCrash(.prefix(length), renamesArrived: true)
                check(crashed, after: run, "operation \(operation), \(length) bytes")
            }
        }
    }

    @Test func everySetOfMissingSectorsIsCutOff() {
        let all = CrashingDisk()
        _ = play(on: all)
        for operation in 0..<all.operations {
            let disk = CrashingDisk(fault: .stop(before: operation))
            let run = play(on: disk)
            let sectors = min((disk.longestPending + 1023) / 512, 6)
            guard sectors > 1 else { continue }
            for missing in 0..<UInt64(1) << UInt64(sectors) {
                let crashed = disk.afterCrash(.missingSectors(missing), renamesArrived: true)
                check(crashed, after: run, "operation \(operation), missing \(missing)")
            }
        }
    }

    @Test func afterAFailedSyncNothingIsWritten() {
        let all = CrashingDisk()
        _ = play(on: all)
        for sync in 0..<all.syncs {
            let disk = CrashingDisk(fault: .failedSync(sync))
            var content = StorageScript.Content()
            var acknowledged = 0
            guard var storage = try? open(disk, into: &content) else { continue }
            var failedAt: Int?
            for step in Self.script.steps {
                let operations = disk.operations
                do throws(StorageError) {
                    switch step {
                    case .persist(let ticket): try storage.persist([ticket])
                    case .snapshot(let snapshot): try storage.save(snapshot)
                    }
                    acknowledged += 1
                    #expect(failedAt == nil, "sync \(sync): nothing succeeds after the failure")
                } catch {
                    if failedAt != nil { #expect(disk.operations == operations, "sync \(sync)") }
                    failedAt = acknowledged
                }
            }
            #expect(failedAt != nil)
        }
    }

    @Test func aFlippedBitIsFoundOrHarmless() {
        let disk = CrashingDisk()
        let run = play(on: disk)
        var refused = 0
        for (path, bytes) in disk.files.sorted(by: { $0.key < $1.key }) {
            for offset in bytes.indices {
                let damaged = disk.flipping(bit: offset % 8, ofByte: offset, in: path)
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

    @Test func aMissingFileIsNoticed() {
        let disk = CrashingDisk()
        _ = play(on: disk)
        // Without the last segment the log is a whole one that ends earlier.
        let last = disk.files.keys.filter { $0.hasSuffix(".wal") }.max()!
        for path in disk.files.keys.sorted() where path != last {
            var content = StorageScript.Content()
            #expect(throws: StorageError.self, "\(path)") {
                _ = try self.open(disk.removing(path), into: &content)
            }
        }
    }
}
