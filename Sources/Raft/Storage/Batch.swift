import Glibc

/// The frame of the write-ahead log: the records of one sync, written in one piece at an offset that is a multiple
/// of 8.
///
///     magic 4 · payload length 4 · sequence 8 · record count 4 · blank sectors 4 · header checksum 4
///     each record: length 4 · checksum 4 · body
///     zeros up to a multiple of 8 · trailer 4
///
/// A batch is written only after the one before is durable, so that a crash can leave at most the last one torn. A torn
/// write leaves whole sectors of zeros; the header says how many of those the batch has by itself.
/// The checksums begin from a number private to the data directory: no command can carry bytes that pass for a batch.
enum Batch {
    static let alignment = 8
    static let headerSize = 28
    static let recordOverhead = 8
    /// Of one batch; more records are written as several batches, each with its own sync.
    static let payloadLimit = 16 << 20
    private static let trailerSize = 4
    private static let magic: UInt32 = 0x4854_4221  // "!BTH" in the file
    /// Every byte has several bits set: a torn write leaves zeros in its place, one flipped bit does not.
    private static let trailer: UInt32 = 0x5A3C_A5C3
    /// The unit that a disk writes whole or not at all.
    private static let sectorSize = 512

    /// The private number that the checksums of a data directory's batches begin from.
    static func key(of incarnation: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: incarnation ^ incarnation >> 32)
    }

    /// The bytes to be written at `offset` of a segment.
    static func encode(
        _ records: ArraySlice<LogRecord>, sequence: UInt64, key: UInt32, at offset: Int
    ) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(magic)
        writer.append(UInt32(0))
        writer.append(sequence)
        writer.append(UInt32(records.count))
        writer.append(UInt32(0))
        writer.append(UInt32(0))
        for record in records {
            let start = writer.count
            writer.append(UInt32(0))
            writer.append(UInt32(0))
            writer.append(record)
            let body = start + recordOverhead..<writer.count
            writer.patch(UInt32(body.count), at: start)
            writer.patch(Checksum.of(writer.bytes, in: body, seed: key), at: start + 4)
        }
        let payload = writer.count - headerSize
        writer.patch(UInt32(payload), at: 4)
        writer.append(raw: repeatElement(0, count: totalSize(payload: payload) - trailerSize - writer.count))
        writer.append(trailer)
        let blank = blankSectors(writer.bytes, in: 0..<writer.count, movedBy: offset)
        writer.patch(UInt32(blank), at: headerSize - 8)
        writer.patch(Checksum.of(writer.bytes, in: 0..<headerSize - 4, seed: key), at: headerSize - 4)
        return writer.bytes
    }

    enum Reading {
        case batch([LogRecord], end: Int)
        /// Nothing was ever written here.
        case blank
        /// What a write leaves when the machine stops before its end: zeros in the place of some of its bytes.
        case torn
        case damaged(MalformedBytes)
    }

    /// Reads the batch at `start` of a segment's bytes; `sequence` is the number it has to have.
    static func read(_ bytes: [UInt8], at start: Int, sequence: UInt64, key: UInt32) -> Reading {
        let header: Header
        do throws(MalformedBytes) {
            header = try Header.read(bytes, at: start, key: key)
        } catch {
            guard let last = lastWritten(bytes, from: start) else { return .blank }
            if isUnfinishedHeader(bytes, at: start, lastWritten: last) {
                return holdsBatch(bytes, from: start + alignment, after: sequence, key: key) ? .damaged(error) : .torn
            }
            return .damaged(error)
        }
        guard header.sequence == sequence else {
            return .damaged(MalformedBytes(at: start + 8, expected: "batch \(sequence), not \(header.sequence)"))
        }
        let end = start + totalSize(payload: header.payload)
        do throws(MalformedBytes) {
            return .batch(try records(bytes, header, at: start, end: end, key: key), end: end)
        } catch {
            let lacksEnd = bytes[end - 1] == 0
            let lacksSectors = blankSectors(bytes, in: start..<end) > header.blankSectors
            let isTorn = (lacksEnd || lacksSectors) && !holdsBatch(bytes, from: end, after: sequence, key: key)
            return isTorn ? .torn : .damaged(error)
        }
    }

    private struct Header {
        var payload: Int
        var sequence: UInt64
        var count: Int
        var blankSectors: Int

        static func read(_ bytes: [UInt8], at start: Int, key: UInt32) throws(MalformedBytes) -> Header {
            var reader = ByteReader(bytes, in: start..<bytes.count)
            guard try reader.readUInt32() == magic else {
                throw MalformedBytes(at: start, expected: "the start of a batch")
            }
            let payload = Int(try reader.readUInt32())
            let sequence = try reader.readUInt64()
            let count = Int(try reader.readUInt32())
            let blankSectors = Int(try reader.readUInt32())
            let covered = start..<reader.offset
            guard try reader.readUInt32() == Checksum.of(bytes, in: covered, seed: key) else {
                throw MalformedBytes(at: covered.upperBound, expected: "the checksum of the batch header")
            }
            guard totalSize(payload: payload) <= bytes.count - start else {
                throw MalformedBytes(at: start + 4, expected: "a batch that ends within the segment")
            }
            return Header(payload: payload, sequence: sequence, count: count, blankSectors: blankSectors)
        }
    }

    private static func totalSize(payload: Int) -> Int {
        (headerSize + payload + trailerSize + alignment - 1) / alignment * alignment
    }

    private static func records(
        _ bytes: [UInt8], _ header: Header, at start: Int, end: Int, key: UInt32
    ) throws(MalformedBytes) -> [LogRecord] {
        var reader = ByteReader(bytes, in: start + headerSize..<start + headerSize + header.payload)
        var records: [LogRecord] = []
        for _ in 0..<header.count {
            let length = Int(try reader.readUInt32())
            let checksum = try reader.readUInt32()
            let body = reader.offset
            guard length <= reader.remaining else {
                throw MalformedBytes(at: body - recordOverhead, expected: "a record that ends within its batch")
            }
            guard checksum == Checksum.of(bytes, in: body..<body + length, seed: key) else {
                throw MalformedBytes(at: body, expected: "a record with the checksum it was written with")
            }
            var inner = ByteReader(bytes, in: body..<body + length)
            records.append(try inner.readLogRecord())
            try inner.expectEnd()
            _ = try reader.readRaw(length)
        }
        try reader.expectEnd()
        var closing = ByteReader(bytes, in: end - trailerSize..<end)
        guard try closing.readUInt32() == trailer else {
            throw MalformedBytes(at: end - trailerSize, expected: "the trailer of the batch")
        }
        return records
    }

    /// The offset of the last byte that is not zero, nil when there is none from `start` on.
    private static func lastWritten(_ bytes: [UInt8], from start: Int) -> Int? {
        var end = bytes.count
        while end > start {
            let sector = max(start, (end - 1) / sectorSize * sectorSize)
            if !isBlank(bytes, in: sector..<end) { return bytes[sector..<end].lastIndex { $0 != 0 } }
            end = sector
        }
        return nil
    }

    private static func isBlank(_ bytes: [UInt8], in range: Range<Int>) -> Bool {
        bytes.withUnsafeBytes { buffer in
            let part = buffer.baseAddress! + range.lowerBound
            // All bytes equal the one before them, and the first is zero.
            return buffer[range.lowerBound] == 0 && memcmp(part, part + 1, range.count - 1) == 0
        }
    }

    /// A header of which only a first part was written, or of which one of its two sectors was not.
    private static func isUnfinishedHeader(_ bytes: [UInt8], at start: Int, lastWritten: Int) -> Bool {
        let end = min(start + headerSize, bytes.count)
        return lastWritten < end || blankSectors(bytes, in: start..<end) > 0
    }

    /// How many of the sectors that `range` touches are all zeros within it; sectors are counted from `offset` bytes
    /// before the first of `bytes`.
    private static func blankSectors(_ bytes: [UInt8], in range: Range<Int>, movedBy offset: Int = 0) -> Int {
        var count = 0
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(((start + offset) / sectorSize + 1) * sectorSize - offset, range.upperBound)
            if isBlank(bytes, in: start..<end) { count += 1 }
            start = end
        }
        return count
    }

    /// Whether a later batch was written: then the one before was durable, and what is wrong with it is damage.
    private static func holdsBatch(_ bytes: [UInt8], from start: Int, after sequence: UInt64, key: UInt32) -> Bool {
        var offset = start
        while let next = nextMagic(bytes, from: offset) {
            if let header = try? Header.read(bytes, at: next, key: key), header.sequence > sequence { return true }
            offset = next + alignment
        }
        return false
    }

    /// The next place at or after `start` where a batch may begin.
    private static func nextMagic(_ bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBytes { buffer in
            var offset = start
            while offset + headerSize <= buffer.count {
                if buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self) == magic.littleEndian { return offset }
                offset += alignment
            }
            return nil
        }
    }
}
