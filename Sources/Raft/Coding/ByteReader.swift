/// Bytes from outside that do not say what they should: where, and what would have been right there.
package struct MalformedBytes: Error, Hashable, Sendable, CustomStringConvertible {
    package let offset: Int
    package let expected: String

    package init(at offset: Int, expected: String) {
        self.offset = offset
        self.expected = expected
    }

    package var description: String { "at byte \(offset): expected \(expected)" }
}

/// Takes binary records apart. Every read is checked against the end; nothing it is fed makes it trap.
package struct ByteReader {
    private let bytes: [UInt8]
    /// Where the next read begins, counted from the start of the array.
    package private(set) var offset: Int
    private let end: Int

    /// Reads `range` of `bytes`, all of them without one.
    package init(_ bytes: [UInt8], in range: Range<Int>? = nil) {
        self.bytes = bytes
        offset = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
        precondition(offset >= 0 && end <= bytes.count, "the range lies within the bytes")
    }

    package var remaining: Int { end - offset }

    package mutating func readUInt8() throws(MalformedBytes) -> UInt8 { try readInteger() }
    package mutating func readUInt16() throws(MalformedBytes) -> UInt16 { try readInteger() }
    package mutating func readUInt32() throws(MalformedBytes) -> UInt32 { try readInteger() }
    package mutating func readUInt64() throws(MalformedBytes) -> UInt64 { try readInteger() }

    package mutating func readBool() throws(MalformedBytes) -> Bool {
        switch try readUInt8() {
        case 0: return false
        case 1: return true
        default: throw MalformedBytes(at: offset - 1, expected: "0 or 1")
        }
    }

    /// A 64-bit number up to `limit`.
    package mutating func readUInt64(upTo limit: UInt64, _ what: String) throws(MalformedBytes) -> UInt64 {
        let value = try readUInt64()
        guard value <= limit else { throw MalformedBytes(at: offset - 8, expected: "\(what) up to \(limit)") }
        return value
    }

    /// A 32-bit length up to `limit` and that many bytes.
    package mutating func readLengthPrefixed(upTo limit: Int) throws(MalformedBytes) -> [UInt8] {
        let count = Int(try readUInt32())
        guard count <= limit else { throw MalformedBytes(at: offset - 4, expected: "a length up to \(limit)") }
        return try readRaw(count)
    }

    package mutating func readRaw(_ count: Int) throws(MalformedBytes) -> [UInt8] {
        guard count <= remaining else { throw MalformedBytes(at: offset, expected: "\(count) more bytes") }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    /// A length-prefixed UTF-8 text of at most `limit` bytes.
    package mutating func readText(upTo limit: Int) throws(MalformedBytes) -> String {
        let start = offset
        let raw = try readLengthPrefixed(upTo: limit)
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw MalformedBytes(at: start, expected: "UTF-8 text")
        }
        return text
    }

    package func expectEnd() throws(MalformedBytes) {
        guard remaining == 0 else { throw MalformedBytes(at: offset, expected: "the end, not \(remaining) more bytes") }
    }

    private mutating func readInteger<Value: FixedWidthInteger>() throws(MalformedBytes) -> Value {
        let width = MemoryLayout<Value>.size
        guard width <= remaining else { throw MalformedBytes(at: offset, expected: "\(width) more bytes") }
        defer { offset += width }
        let start = offset
        return bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: Value.self)) }
    }
}
