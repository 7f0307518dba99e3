import Posix

/// Reads what the segments of a write-ahead log say, and where writing goes on.
struct LogRecovery {
    struct Segment: Hashable, Sendable {
        var number: UInt64
        /// The highest log position its records speak of.
        var reach: LogIndex
    }

    private let directory: String
    private let incarnation: UInt64
    private(set) var replay = LogReplay()
    private(set) var segments: [Segment] = []
    /// Where the next batch would go in the last segment.
    private(set) var end = 0
    /// Of the last segment's file.
    private(set) var capacity = 0
    private(set) var nextSequence: UInt64 = 0
    /// The newest batch: all before it was durable when it was written.
    private(set) var lastBatch: (start: Int, bytes: ArraySlice<UInt8>) = (0, [])
    /// Bytes of an unfinished write follow `end`, so writing goes on in a new segment.
    private(set) var isTorn = false

    init(directory: String, incarnation: UInt64) {
        self.directory = directory
        self.incarnation = incarnation
    }

    /// Reads the next segment; they come in ascending order.
    mutating func read<D: Disk>(segment number: UInt64, from disk: D) throws(StorageError) {
        let file = path(number)
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try disk.contents(of: file) } catch { throw .system(error) }
        do throws(MalformedBytes) {
            try join(try SegmentHeader.decode(bytes), number: number)
            try readBatches(bytes)
        } catch {
            throw .damaged(file: file, offset: error.offset, problem: "expected \(error.expected)")
        }
    }

    /// Checks that a segment follows on the one before, and that nothing is missing at the end of that one.
    private mutating func join(_ header: SegmentHeader, number: UInt64) throws(MalformedBytes) {
        guard header.incarnation == incarnation, header.number == number else {
            throw MalformedBytes(at: 12, expected: "segment \(number) of this data directory")
        }
        guard let previous = segments.last else {
            nextSequence = header.firstSequence
            segments.append(Segment(number: number, reach: .zero))
            return
        }
        guard number == previous.number + 1 else {
            throw MalformedBytes(
                at: 12, expected: "\(path(previous.number + 1)) before it, which is missing")
        }
        guard header.previousEnd == UInt64(end), header.firstSequence == nextSequence else {
            throw MalformedBytes(
                at: 28,
                expected: "that \(path(previous.number)), which can be read up to byte \(end), went on to byte "
                    + "\(header.previousEnd)")
        }
        segments.append(Segment(number: number, reach: .zero))
    }

    private mutating func readBatches(_ bytes: [UInt8]) throws(MalformedBytes) {
        capacity = bytes.count
        end = SegmentHeader.size
        isTorn = false
        while true {
            switch Batch.read(bytes, at: end, sequence: nextSequence, key: Batch.key(of: incarnation)) {
            case .blank:
                return
            case .torn:
                isTorn = true
                return
            case .damaged(let error):
                throw error
            case .batch(let records, let next):
                for record in records {
                    do throws(ReplayError) { try replay.add(record) } catch {
                        throw MalformedBytes(at: end, expected: error.expected)
                    }
                    segments[segments.count - 1].reach = max(segments[segments.count - 1].reach, record.reach)
                }
                lastBatch = (end, bytes[end..<next])
                end = next
                nextSequence += 1
            }
        }
    }

    private func path(_ number: UInt64) -> String { "\(directory)/\(SegmentHeader.fileName(number))" }
}
