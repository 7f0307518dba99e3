/// What the write-ahead log holds, in the order in which it was written.
package enum LogRecord: Hashable, Sendable {
    case hardState(HardState)
    /// Takes the place of whatever the log held from this entry's index on.
    case entry(Entry)
    /// A snapshot through this position took the place of the whole log.
    case reset(LogPosition)

    /// The highest log position this record speaks of.
    var reach: LogIndex {
        switch self {
        case .hardState: .zero
        case .entry(let entry): entry.index
        case .reset(let position): position.index
        }
    }
}

extension LogRecord {
    /// At least as many bytes as the record takes in a batch.
    var sizeBound: Int {
        guard case .entry(let entry) = self, case .command(_, let bytes) = entry.payload else { return 2 << 10 }
        return bytes.count + 128
    }
}

extension ByteWriter {
    package mutating func append(_ record: LogRecord) {
        switch record {
        case .hardState(let state):
            append(UInt8(1))
            append(state)
        case .entry(let entry):
            append(UInt8(2))
            append(entry)
        case .reset(let position):
            append(UInt8(3))
            append(position)
        }
    }
}

extension ByteReader {
    package mutating func readLogRecord() throws(MalformedBytes) -> LogRecord {
        switch try readUInt8() {
        case 1: return .hardState(try readHardState())
        case 2: return .entry(try readEntry())
        case 3: return .reset(try readLogPosition())
        default: throw MalformedBytes(at: offset - 1, expected: "a record kind from 1 to 3")
        }
    }
}
