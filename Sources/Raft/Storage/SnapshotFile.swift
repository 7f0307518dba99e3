/// The binary form of a snapshot on disk:
///
///     magic 8 · version 4 · data directory 8 · index 8 · term 8 · membership · state length 8 · state checksum 4 ·
///     checksum of all before 4 · state
enum SnapshotFile {
    private static let magic: UInt64 = 0x3150_414E_5357_4721  // "!GWSNAP1" in the file
    private static let version: UInt32 = 1

    static func encode(_ snapshot: Snapshot, incarnation: UInt64) -> [UInt8] {
        var writer = ByteWriter(reserving: snapshot.state.count + 256)
        writer.append(magic)
        writer.append(version)
        writer.append(incarnation)
        writer.append(snapshot.index)
        writer.append(snapshot.term)
        writer.append(snapshot.membership)
        writer.append(UInt64(snapshot.state.count))
        writer.append(Checksum.of(snapshot.state))
        writer.append(Checksum.of(writer.bytes))
        writer.append(raw: snapshot.state)
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8], incarnation: UInt64) throws(MalformedBytes) -> Snapshot {
        var reader = ByteReader(bytes)
        guard try reader.readUInt64() == magic else {
            throw MalformedBytes(at: 0, expected: "the magic number of a gwnode snapshot")
        }
        let version = try reader.readUInt32()
        let owner = try reader.readUInt64()
        var snapshot = Snapshot(
            index: try reader.readLogIndex(), term: try reader.readTerm(), membership: try reader.readMembership(),
            state: [])
        let count = try reader.readUInt64()
        let checksum = try reader.readUInt32()
        let covered = reader.offset
        guard try reader.readUInt32() == Checksum.of(bytes, in: 0..<covered) else {
            throw MalformedBytes(at: covered, expected: "the checksum of the snapshot header")
        }
        guard version == Self.version else {
            throw MalformedBytes(at: 8, expected: "snapshot format \(Self.version), not \(version)")
        }
        guard owner == incarnation else {
            throw MalformedBytes(at: 12, expected: "a snapshot of this data directory")
        }
        guard count == UInt64(reader.remaining) else {
            throw MalformedBytes(at: covered - 12, expected: "\(count) bytes of state, not \(reader.remaining)")
        }
        let start = reader.offset
        guard checksum == Checksum.of(bytes, in: start..<bytes.count) else {
            throw MalformedBytes(at: start, expected: "a state with the checksum it was written with")
        }
        snapshot.state = try reader.readRaw(reader.remaining)
        return snapshot
    }

    /// `00000000000000000042.snapshot` for a snapshot through index 42.
    static func name(_ index: LogIndex) -> String {
        let digits = String(index.number)
        return String(repeating: "0", count: 20 - digits.count) + digits + ".snapshot"
    }

    static func index(ofFile name: String) -> LogIndex? {
        guard name.hasSuffix(".snapshot"), let number = UInt64(name.dropLast(9)) else { return nil }
        let index = LogIndex(number)
        return self.name(index) == name ? index : nil
    }
}
