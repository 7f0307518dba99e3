import CLinux

/// CRC32C (Castagnoli), the checksum of every record on disk and every frame on the wire.
package enum Checksum {
    /// `seed` makes checksums that only those who know it can produce on purpose.
    package static func of(_ bytes: [UInt8], in range: Range<Int>? = nil, seed: UInt32 = 0) -> UInt32 {
        let range = range ?? 0..<bytes.count
        precondition(range.upperBound <= bytes.count, "the range lies within the bytes")
        return bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return clinux_crc32c(seed, nil, 0) }
            return clinux_crc32c(seed, base + range.lowerBound, range.count)
        }
    }
}
