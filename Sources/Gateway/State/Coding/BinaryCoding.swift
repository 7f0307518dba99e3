/// Why bytes are not what they should be, and where.
package enum DecodingFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Written by a newer version of gwnode.
    case unknownVersion(UInt8)
    case truncated(offset: Int)
    case invalid(what: String, offset: Int)
    case tooLong(what: String, limit: Int, offset: Int)
    case trailingBytes(offset: Int)

    package var description: String {
        switch self {
        case .unknownVersion(let version): "format version \(version) is unknown to this version of gwnode"
        case .truncated(let offset): "ends too early, at byte \(offset)"
        case .invalid(let what, let offset): "invalid \(what) at byte \(offset)"
        case .tooLong(let what, let limit, let offset): "\(what) of more than \(limit) at byte \(offset)"
        case .trailingBytes(let offset): "goes on after its end, at byte \(offset)"
        }
    }
}

/// A value with a binary form.
protocol BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault)
    func write(to writer: inout BinaryWriter)
}

/// Appends values to a byte array: integers little-endian, texts and lists after their 32-bit length.
struct BinaryWriter {
    private(set) var bytes: [UInt8] = []

    init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func write<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ text: String) {
        write(UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func write(bytes value: [UInt8]) {
        write(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func write(_ value: some BinaryCodable) { value.write(to: &self) }

    mutating func write<Element>(list: some Collection<Element>, _ element: (inout BinaryWriter, Element) -> Void) {
        write(UInt32(list.count))
        for value in list { element(&self, value) }
    }

    mutating func write(list: some Collection<some BinaryCodable>) {
        write(list: list) { writer, value in value.write(to: &writer) }
    }

    mutating func write(optional value: (some BinaryCodable)?) {
        write(UInt8(value == nil ? 0 : 1))
        if let value { write(value) }
    }
}

/// Reads what `BinaryWriter` wrote; any other bytes give a `DecodingFault`, never a trap or a huge allocation.
struct BinaryReader {
    private let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func read<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(DecodingFault) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.count - offset >= size else { throw .truncated(offset: bytes.count) }
        defer { offset += size }
        return bytes.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self))
        }
    }

    mutating func read<Value: BinaryCodable>(_: Value.Type = Value.self) throws(DecodingFault) -> Value {
        try Value(from: &self)
    }

    /// `what` names the text in faults; `limit` is in bytes.
    mutating func readText(_ what: String, limit: Int) throws(DecodingFault) -> String {
        let count = try readCount(what, limit: limit)
        guard let text = String(validating: bytes[offset..<offset + count], as: UTF8.self) else {
            throw .invalid(what: what, offset: offset)
        }
        offset += count
        return text
    }

    /// `what` names the bytes in faults.
    mutating func readBytes(_ what: String, limit: Int) throws(DecodingFault) -> [UInt8] {
        let count = try readCount(what, limit: limit)
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    /// `limit` is in elements.
    mutating func readList<Element>(
        _ what: String, limit: Int, _ element: (inout BinaryReader) throws(DecodingFault) -> Element
    ) throws(DecodingFault) -> [Element] {
        let count = try readCount(what, limit: limit)
        var list: [Element] = []
        for _ in 0..<count { list.append(try element(&self)) }
        return list
    }

    mutating func readList<Element: BinaryCodable>(
        of _: Element.Type = Element.self, _ what: String, limit: Int
    ) throws(DecodingFault) -> [Element] {
        try readList(what, limit: limit, Element.init(from:))
    }

    mutating func readOptional<Value: BinaryCodable>(
        of _: Value.Type = Value.self, _ what: String
    ) throws(DecodingFault) -> Value? {
        let start = offset
        switch try read(UInt8.self) {
        case 0: return nil
        case 1: return try read(Value.self)
        case _: throw .invalid(what: what, offset: start)
        }
    }

    mutating func readWord<Word: RawRepresentable<String>>(
        of _: Word.Type = Word.self, _ what: String
    ) throws(DecodingFault) -> Word {
        let start = offset
        guard let word = Word(rawValue: try readText(what, limit: 64)) else {
            throw .invalid(what: what, offset: start)
        }
        return word
    }

    mutating func expectVersion(_ version: UInt8) throws(DecodingFault) {
        let found = try read(UInt8.self)
        guard found == version else { throw .unknownVersion(found) }
    }

    func finish() throws(DecodingFault) {
        guard offset == bytes.count else { throw .trailingBytes(offset: offset) }
    }

    /// A length that both the limit and the rest of the bytes allow: an element takes at least one byte.
    private mutating func readCount(_ what: String, limit: Int) throws(DecodingFault) -> Int {
        let start = offset
        let count = Int(try read(UInt32.self))
        guard count <= limit else { throw .tooLong(what: what, limit: limit, offset: start) }
        guard count <= bytes.count - offset else { throw .truncated(offset: bytes.count) }
        return count
    }
}
