import Posix

/// Bytes of clients as they may stand in a log: none of them can end a line or a quoted text, or drive a terminal.
enum AccessLogText {
    private static let mark: StaticString = "..."

    /// Writes `bytes` escaped into `target`; what does not fit is replaced by three points.
    /// - Returns: the number of bytes written.
    static func write(
        _ bytes: UnsafeRawBufferPointer, as format: AccessLogFormat, into target: UnsafeMutableRawBufferPointer
    ) -> Int {
        let room = target.count - mark.utf8CodeUnitCount
        var end = 0
        for byte in bytes {
            guard end < room else { return cut(target, end) }
            if isPlain(byte) {
                target[end] = byte
                end += 1
                continue
            }
            let count = escape(byte, format, into: target, at: end, room)
            if count == 0 { return cut(target, end) }
            end += count
        }
        return end
    }

    /// Visible ASCII and space, but neither quote nor backslash.
    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte &- 0x20 < 0x5f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// `\xHH` as web servers write it; in JSON `\u00HH`, which takes bytes as Latin-1: they need not be UTF-8.
    private static func escape(
        _ byte: UInt8, _ format: AccessLogFormat, into target: UnsafeMutableRawBufferPointer, at start: Int,
        _ room: Int
    ) -> Int {
        let prefix: StaticString
        switch format {
        case .common, .combined: prefix = "\\x"
        case .json: prefix = "\\u00"
        }
        let count = prefix.utf8CodeUnitCount + 2
        guard start + count <= room else { return 0 }
        for index in 0..<prefix.utf8CodeUnitCount { target[start + index] = prefix.utf8Start[index] }
        target[start + count - 2] = digit(byte >> 4)
        target[start + count - 1] = digit(byte & 15)
        return count
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x61 + value - 10 }

    private static func cut(_ target: UnsafeMutableRawBufferPointer, _ end: Int) -> Int {
        for index in 0..<mark.utf8CodeUnitCount { target[end + index] = mark.utf8Start[index] }
        return end + mark.utf8CodeUnitCount
    }
}
