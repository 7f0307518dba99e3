import Glibc
import Posix

/// Reads the header at the beginning of a connection. Nothing is remembered between two looks at a growing beginning.
package enum ProxyHeaderParser {
    /// The longest header of version 1, section 2.1.
    private static let longestLine = 107
    /// Signature, version and command, family and protocol, length: section 2.2.
    private static let fixedBytes = 16

    package static func parse(_ bytes: RawSpan) -> ProxyHeaderParse {
        switch bytes.isEmpty ? 0 : Scan.byte(bytes, 0) {
        case 0 where bytes.isEmpty: .incomplete
        case UInt8(ascii: "P"): begins(bytes, with: "PROXY ") { line(bytes) }
        default: begins(bytes, with: "\r\n\r\n\0\r\nQUIT\n") { binary(bytes) }
        }
    }

    private static func begins(
        _ bytes: RawSpan, with signature: StaticString, _ parse: () -> ProxyHeaderParse
    ) -> ProxyHeaderParse {
        let count = min(bytes.byteCount, signature.utf8CodeUnitCount)
        for index in 0..<count where Scan.byte(bytes, index) != signature.utf8Start[index] {
            return .invalid(.missing)
        }
        return count < signature.utf8CodeUnitCount ? .incomplete : parse()
    }

    // Version 1: `PROXY TCP4 192.0.2.7 203.0.113.1 49152 443\r\n`.

    private static func line(_ bytes: RawSpan) -> ProxyHeaderParse {
        var end = 6
        let limit = min(bytes.byteCount, longestLine - 1)
        while end < limit, Scan.byte(bytes, end) != .carriageReturn {
            if Scan.byte(bytes, end) == .lineFeed { return .invalid(.malformed) }
            end += 1
        }
        if end + 1 >= bytes.byteCount, end < longestLine - 1 { return .incomplete }
        guard end < longestLine - 1 else { return .invalid(.tooLong) }
        guard Scan.byte(bytes, end + 1) == .lineFeed else { return .invalid(.malformed) }
        var words = Words(position: 6, end: end)
        guard let family = words.next(bytes) else { return .invalid(.malformed) }
        // What follows is to be ignored then.
        if isEqual(bytes, family, "UNKNOWN") { return .complete(ProxyHeader(byteCount: end + 2, client: nil)) }
        let kind: Int32
        if isEqual(bytes, family, "TCP4") {
            kind = AF_INET
        } else if isEqual(bytes, family, "TCP6") {
            kind = AF_INET6
        } else {
            return .invalid(.malformed)
        }
        guard let source = words.next(bytes), let client = NumericAddress.parse(bytes, source, kind),
            let destination = words.next(bytes), NumericAddress.parse(bytes, destination, kind) != nil,
            let port = words.next(bytes).flatMap({ number(bytes, $0) }),
            words.next(bytes).flatMap({ number(bytes, $0) }) != nil, words.areAllRead
        else { return .invalid(.malformed) }
        return .complete(ProxyHeader(byteCount: end + 2, client: SocketAddress(ip: client, port: port)))
    }

    private static func isEqual(_ bytes: RawSpan, _ slice: ByteSlice, _ text: StaticString) -> Bool {
        guard slice.range.count == text.utf8CodeUnitCount else { return false }
        return slice.range.allSatisfy { Scan.byte(bytes, $0) == text.utf8Start[$0 - slice.start] }
    }

    /// Of a port: decimal, without leading zeros.
    private static func number(_ bytes: RawSpan, _ slice: ByteSlice) -> UInt16? {
        guard slice.count <= 5, slice.count == 1 || Scan.byte(bytes, slice.start) != UInt8(ascii: "0") else {
            return nil
        }
        var value = 0
        for index in slice.range {
            let digit = Scan.byte(bytes, index) &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            value = value * 10 + Int(digit)
        }
        return UInt16(exactly: value)
    }

    // Version 2.

    private static func binary(_ bytes: RawSpan) -> ProxyHeaderParse {
        guard bytes.byteCount >= fixedBytes else { return .incomplete }
        let (version, command) = (Scan.byte(bytes, 12) >> 4, Scan.byte(bytes, 12) & 15)
        let (family, transport) = (Scan.byte(bytes, 13) >> 4, Scan.byte(bytes, 13) & 15)
        let length = Int(Scan.byte(bytes, 14)) << 8 | Int(Scan.byte(bytes, 15))
        guard version == 2, command <= 1 else { return .invalid(.malformed) }
        let isOwn = command == 0
        guard isOwn || (family <= 3 && transport <= 2 && length >= addressBytes(family)) else {
            return .invalid(.malformed)
        }
        let total = fixedBytes + length
        guard total <= ProxyHeader.maximumBytes else { return .invalid(.tooLong) }
        guard bytes.byteCount >= total else { return .incomplete }
        // What is behind the addresses are extensions, of which none is needed.
        return .complete(ProxyHeader(byteCount: total, client: isOwn ? nil : source(bytes, family)))
    }

    /// Of both ends, by the family's number: unspecified, IPv4, IPv6, and Unix sockets.
    private static func addressBytes(_ family: UInt8) -> Int {
        switch family {
        case 1: 12
        case 2: 36
        case 3: 216
        default: 0
        }
    }

    private static func source(_ bytes: RawSpan, _ family: UInt8) -> SocketAddress? {
        switch family {
        case 1:
            return SocketAddress(
                ip: IPAddress(v4: UInt32(truncatingIfNeeded: bigEndian(bytes, 16, count: 4))),
                port: UInt16(truncatingIfNeeded: bigEndian(bytes, 24, count: 2)))
        case 2:
            return SocketAddress(
                ip: IPAddress(high: bigEndian(bytes, 16, count: 8), low: bigEndian(bytes, 24, count: 8)),
                port: UInt16(truncatingIfNeeded: bigEndian(bytes, 48, count: 2)))
        default: return nil
        }
    }

    private static func bigEndian(_ bytes: RawSpan, _ start: Int, count: Int) -> UInt64 {
        (start..<start + count).reduce(0) { $0 << 8 | UInt64(Scan.byte(bytes, $1)) }
    }
}

/// Words with exactly one space between each two.
private struct Words {
    var position: Int
    let end: Int

    /// Nil when the next one is empty, or none is left.
    mutating func next(_ bytes: RawSpan) -> ByteSlice? {
        let start = position
        while position < end, Scan.byte(bytes, position) != .space { position += 1 }
        let word = ByteSlice(from: min(start, end), to: min(position, end))
        // Behind the last word, so that a space at the end leaves an empty one.
        position += 1
        return word.isEmpty ? nil : word
    }

    var areAllRead: Bool { position == end + 1 }
}
