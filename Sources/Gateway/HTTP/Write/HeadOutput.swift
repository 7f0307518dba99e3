import Posix

extension UnsafeRawBufferPointer {
    static var empty: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }
}

/// Bytes of a head on their way into a buffer of the caller. What does not fit is left out and remembered.
struct HeadOutput {
    private let buffer: UnsafeMutableRawBufferPointer
    private var end = 0
    private var overflowed = false

    init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    /// The number of bytes written, nil if the buffer was too small.
    var count: Int? { overflowed ? nil : end }

    @inline(__always)
    mutating func write(_ text: StaticString) {
        write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= buffer.count &- end else {
            overflowed = true
            return
        }
        guard let source = bytes.baseAddress, let target = buffer.baseAddress else { return }
        (target + end).copyMemory(from: source, byteCount: bytes.count)
        end &+= bytes.count
    }

    @inline(__always)
    mutating func write(_ slice: ByteSlice, of source: UnsafeRawBufferPointer) {
        write(slice.start..<slice.end, of: source)
    }

    @inline(__always)
    mutating func write(_ range: Range<Int>, of source: UnsafeRawBufferPointer) {
        write(UnsafeRawBufferPointer(rebasing: source[range]))
    }

    @inline(__always)
    mutating func write(_ byte: UInt8) {
        guard end < buffer.count else {
            overflowed = true
            return
        }
        buffer[end] = byte
        end &+= 1
    }

    mutating func write(_ date: HTTPDate) {
        withUnsafeBytes(of: date) { write($0) }
    }

    mutating func write(decimal value: UInt64) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            write(0x30 + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    @inline(__always)
    mutating func write(_ number: TraceNumber) {
        write(hexadecimal: number.high)
        write(hexadecimal: number.low)
    }

    /// Sixteen digits.
    @inline(__always)
    mutating func write(hexadecimal value: UInt64) {
        var digits = (
            HeadOutput.hexadecimal(UInt32(truncatingIfNeeded: value >> 32)).bigEndian,
            HeadOutput.hexadecimal(UInt32(truncatingIfNeeded: value)).bigEndian
        )
        withUnsafeBytes(of: &digits) { write($0) }
    }

    /// The eight digits of `value` as bytes, the first one in the highest byte: each half byte is given a byte of its
    /// own, and those above nine get the distance from `9` to `a` on top.
    @inline(__always)
    private static func hexadecimal(_ value: UInt32) -> UInt64 {
        var bytes = UInt64(value)
        bytes = (bytes << 16 | bytes) & 0x0000_ffff_0000_ffff
        bytes = (bytes << 8 | bytes) & 0x00ff_00ff_00ff_00ff
        bytes = (bytes << 4 | bytes) & 0x0f0f_0f0f_0f0f_0f0f
        let letters = (bytes &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return bytes &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }

    private mutating func write(hexadecimal value: UInt16) {
        var shift = value == 0 ? 0 : (15 - value.leadingZeroBitCount) / 4 * 4
        while shift >= 0 {
            let digit = UInt8(value >> UInt16(shift) & 15)
            write(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
            shift -= 4
        }
    }

    mutating func write(_ address: SocketAddress) {
        if !address.ip.isIPv4 { write(UInt8(ascii: "[")) }
        write(address.ip)
        if !address.ip.isIPv4 { write(UInt8(ascii: "]")) }
        write(.colon)
        write(decimal: UInt64(address.port))
    }

    mutating func write(_ address: IPAddress) {
        guard address.isIPv4 else { return write(ipv6: address) }
        write(decimal: UInt64(address.v4 >> 24))
        for part in 1..<4 {
            write(.period)
            write(decimal: UInt64(address.v4 >> UInt32(24 - part * 8) & 0xff))
        }
    }

    /// RFC 5952: lower case, the first longest run of at least two zero groups as `::`.
    private mutating func write(ipv6 address: IPAddress) {
        let zeros = longestZeroRun(address)
        var index = 0
        while index < 8 {
            if index == zeros.lowerBound, zeros.count > 1 {
                write("::")
                index = zeros.upperBound
                continue
            }
            if index > 0, index != zeros.upperBound || zeros.count < 2 { write(.colon) }
            write(hexadecimal: group(address, index))
            index += 1
        }
    }

    private func longestZeroRun(_ address: IPAddress) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for index in 0..<8 {
            if group(address, index) != 0 {
                start = index + 1
            } else if index + 1 - start > longest.count {
                longest = start..<index + 1
            }
        }
        return longest
    }

    private func group(_ address: IPAddress, _ index: Int) -> UInt16 {
        let half = index < 4 ? address.high : address.low
        return UInt16(truncatingIfNeeded: half >> UInt64(48 - index % 4 * 16))
    }
}
