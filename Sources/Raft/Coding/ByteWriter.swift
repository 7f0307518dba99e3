/// Builds binary records: fixed-width little-endian integers, byte strings with a 32-bit length before them.
package struct ByteWriter {
    package private(set) var bytes: [UInt8] = []

    package init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    package var count: Int { bytes.count }

    package mutating func append(_ value: UInt8) { bytes.append(value) }

    package mutating func append(_ value: Bool) { bytes.append(value ? 1 : 0) }

    package mutating func append(_ value: UInt16) { appendInteger(value) }

    package mutating func append(_ value: UInt32) { appendInteger(value) }

    package mutating func append(_ value: UInt64) { appendInteger(value) }

    /// The length as 32 bits, then the bytes.
    package mutating func append(lengthPrefixed value: some Collection<UInt8>) {
        append(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func append(raw value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

    /// Overwrites four bytes written before, for a length or a checksum known only at the end.
    package mutating func patch(_ value: UInt32, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { source in
            for (step, byte) in source.enumerated() { bytes[offset + step] = byte }
        }
    }

    private mutating func appendInteger<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
