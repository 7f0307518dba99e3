import Glibc
import Posix
import Raft

/// The target that GWNODE_FUZZ_TARGET names, for libFuzzer; see Tests/Fuzz/run-raft.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzRaft(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    selected.run(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}

private let selected: FuzzTarget = {
    Log.setLevel(.error)
    guard let name = getenv("GWNODE_FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
        fatalError("set GWNODE_FUZZ_TARGET to one of: \(FuzzTarget.allCases.map(\.rawValue))")
    }
    return target
}()

/// What is fed bytes that anybody may have made up. None may trap, hang or take memory out of proportion.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// A stream between nodes, and the body of one frame.
    case frames
    /// A segment of the write-ahead log, and the records of a batch.
    case log
    /// A snapshot file.
    case snapshot

    package func run(_ input: [UInt8]) {
        switch self {
        case .frames: Self.runFrames(input)
        case .log: Self.runLog(input)
        case .snapshot: Self.runSnapshot(input)
        }
    }

    private static func runFrames(_ input: [UInt8]) {
        var parser = FrameParser()
        for start in stride(from: 0, to: input.count, by: 7) {
            parser.append(input[start..<min(start + 7, input.count)])
            while let body = try? parser.next() { _ = try? FrameBody.decode(body) }
        }
        // Mutations rarely keep a checksum right: the body alone gets further.
        guard let body = try? FrameBody.decode(input) else { return }
        let frame = body.encoded()
        precondition((try? FrameBody.decode(Array(frame[8...]))) == body, "what was decoded is encoded as itself")
    }

    private static func runLog(_ input: [UInt8]) {
        let newest = Array("gwnode log 1\nsegment 1\n".utf8)
        let seal = Array("checksum \(String(Checksum.of(newest), radix: 16))\n".utf8)
        let disk = FileInMemory(files: ["/wal/00000000000000000001.wal": input, "/wal/newest": newest + seal])
        var replay = LogReplay()
        _ = try? WriteAheadLog.recover("/wal", disk: disk, incarnation: 1, into: &replay)
        var reader = ByteReader(input)
        while let record = try? reader.readLogRecord() {
            if (try? replay.add(record)) == nil { return }
        }
    }

    private static func runSnapshot(_ input: [UInt8]) {
        let path = "/snapshots/00000000000000000001.snapshot"
        let store = SnapshotStore(
            disk: FileInMemory(files: [path: input]), directory: "/snapshots", incarnation: 1)
        _ = try? store.load()
        var reader = ByteReader(input)
        _ = try? reader.readMembership()
    }
}
