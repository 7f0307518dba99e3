/// The first bytes of a segment file of the write-ahead log.
///
/// A segment gets its name only after its header is durable, so a header that does not check is damage, never a
/// torn write. It also seals its predecessor: where that one ends is fixed from now on.
struct SegmentHeader: Hashable, Sendable {
    static let size = 48
    private static let magic: UInt64 = 0x314C_4157_4E57_4721  // "!GWNWAL1" in the file
    private static let version: UInt32 = 1

    /// 1 and up, without gaps.
    var number: UInt64
    /// The data directory this segment belongs to.
    var incarnation: UInt64
    /// Where the valid bytes of segment `number - 1` end.
    var previousEnd: UInt64
    /// The sequence number of this segment's first batch.
    var firstSequence: UInt64

    func encoded() -> [UInt8] {
        var writer = ByteWriter(reserving: Self.size)
        writer.append(Self.magic)
        writer.append(Self.version)
        writer.append(number)
        writer.append(incarnation)
        writer.append(previousEnd)
        writer.append(firstSequence)
        writer.append(Checksum.of(writer.bytes))
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(MalformedBytes) -> SegmentHeader {
        var reader = ByteReader(bytes)
        guard try reader.readUInt64() == magic else {
            throw MalformedBytes(at: 0, expected: "the magic number of a gwnode log segment")
        }
        let version = try reader.readUInt32()
        let header = SegmentHeader(
            number: try reader.readUInt64(), incarnation: try reader.readUInt64(),
            previousEnd: try reader.readUInt64(), firstSequence: try reader.readUInt64())
        let covered = reader.offset
        guard try reader.readUInt32() == Checksum.of(bytes, in: 0..<covered) else {
            throw MalformedBytes(at: covered, expected: "the checksum of the segment header")
        }
        guard version == Self.version else {
            throw MalformedBytes(at: 8, expected: "log format \(Self.version), not \(version)")
        }
        return header
    }

    /// `00000000000000000001.wal`
    static func fileName(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 20 - digits.count) + digits + ".wal"
    }

    static func number(ofFile name: String) -> UInt64? {
        guard name.hasSuffix(".wal"), let number = UInt64(name.dropLast(4)), fileName(number) == name else {
            return nil
        }
        return number
    }
}
