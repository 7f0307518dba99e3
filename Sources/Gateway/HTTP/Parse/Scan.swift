/// Why parsing stopped before the end of a head.
enum ParseStop: Error {
    case incomplete
    case fault(HTTPFault)
}

/// Searches over untrusted bytes, eight at a time where it pays. Every load is bounds-checked by `RawSpan`.
enum Scan {
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    @inline(__always)
    private static func everywhere(_ byte: UInt64) -> UInt64 { byte &* 0x0101_0101_0101_0101 }

    @inline(__always)
    static func byte(_ bytes: RawSpan, _ index: Int) -> UInt8 {
        bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }

    @inline(__always)
    static func word(_ bytes: RawSpan, _ index: Int) -> UInt64 {
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    /// The byte at `index`; throws `incomplete` behind the last one.
    @inline(__always)
    static func required(_ bytes: RawSpan, _ index: Int) throws(ParseStop) -> UInt8 {
        guard index < bytes.byteCount else { throw .incomplete }
        return byte(bytes, index)
    }

    /// The first byte from `start` on that is no ASCII letter, digit or hyphen; `byteCount` if there is none.
    @inline(__always)
    static func wordEnd(_ bytes: RawSpan, from start: Int) -> Int {
        var index = start
        while index &+ 8 <= bytes.byteCount {
            let others = highBits & ~wordCharacters(word(bytes, index))
            if others != 0 { return index &+ others.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < bytes.byteCount, isWordCharacter(byte(bytes, index)) { index &+= 1 }
        return index
    }

    /// The first byte from `start` on that is no token character, RFC 9110 section 5.6.2.
    @inline(__always)
    static func tokenEnd(_ bytes: RawSpan, from start: Int) -> Int {
        var index = wordEnd(bytes, from: start)
        while index < bytes.byteCount, ByteSet.token.contains(byte(bytes, index)) {
            index = wordEnd(bytes, from: index &+ 1)
        }
        return index
    }

    /// The first control character other than HTAB from `start` on; `byteCount` if there is none.
    @inline(__always)
    static func valueEnd(_ bytes: RawSpan, from start: Int) -> Int {
        var index = start
        while index < bytes.byteCount {
            index = controlCharacter(bytes, from: index)
            guard index < bytes.byteCount, byte(bytes, index) == .horizontalTab else { return index }
            index &+= 1
        }
        return index
    }

    @inline(__always)
    private static func controlCharacter(_ bytes: RawSpan, from start: Int) -> Int {
        var index = start
        while index &+ 8 <= bytes.byteCount {
            let controls = controlCharacters(word(bytes, index))
            if controls != 0 { return index &+ controls.trailingZeroBitCount >> 3 }
            index &+= 8
        }
        while index < bytes.byteCount {
            let value = byte(bytes, index)
            if value < 0x20 || value == 0x7f { return index }
            index &+= 1
        }
        return index
    }

    /// The first LF within `start..<end`, or nil.
    static func lineFeed(_ bytes: RawSpan, from start: Int, to end: Int) -> Int? {
        var index = start
        while index < end {
            if byte(bytes, index) == .lineFeed { return index }
            index &+= 1
        }
        return nil
    }

    /// The first byte from `start` on that is neither space nor tab.
    @inline(__always)
    static func skipWhitespace(_ bytes: RawSpan, from start: Int, to end: Int) -> Int {
        var index = start
        while index < end, byte(bytes, index).isWhitespace { index &+= 1 }
        return index
    }

    /// The end of `start..<end` without trailing spaces and tabs.
    @inline(__always)
    static func trimWhitespace(_ bytes: RawSpan, from start: Int, to end: Int) -> Int {
        var end = end
        while end > start, byte(bytes, end &- 1).isWhitespace { end &-= 1 }
        return end
    }

    /// Whether a slice equals a lower-case word of letters, digits and hyphens, in any case of letters.
    /// The slice must consist of token characters: only then is setting bit 5 a lower-casing without false matches.
    @inline(__always)
    static func matches(_ bytes: RawSpan, _ slice: ByteSlice, _ lowercased: StaticString) -> Bool {
        let count = lowercased.utf8CodeUnitCount
        guard Int(slice.count) == count else { return false }
        let expected = UnsafeRawPointer(lowercased.utf8Start)
        var index = 0
        while index &+ 8 <= count {
            let wanted = UInt64(littleEndian: expected.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            guard word(bytes, slice.start &+ index) | everywhere(0x20) == wanted else { return false }
            index &+= 8
        }
        while index < count {
            let wanted = expected.load(fromByteOffset: index, as: UInt8.self)
            guard byte(bytes, slice.start &+ index) | 0x20 == wanted else { return false }
            index &+= 1
        }
        return true
    }

    /// The high bit of each byte that is an ASCII letter, digit or hyphen.
    @inline(__always)
    private static func wordCharacters(_ word: UInt64) -> UInt64 {
        let seven = word & ~highBits
        let folded = seven | everywhere(0x20)
        let letters = (folded &+ everywhere(0x80 - 0x61)) & ~(folded &+ everywhere(0x7f - 0x7a))
        let digits = (seven &+ everywhere(0x80 - 0x30)) & ~(seven &+ everywhere(0x7f - 0x39))
        let hyphens = ~((seven ^ everywhere(0x2d)) &+ everywhere(0x7f))
        return (letters | digits | hyphens) & ~word & highBits
    }

    @inline(__always)
    private static func isWordCharacter(_ byte: UInt8) -> Bool {
        let folded = byte | 0x20
        return folded &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2d
    }

    /// The high bit of each byte below 32 or equal to 127.
    @inline(__always)
    private static func controlCharacters(_ word: UInt64) -> UInt64 {
        let seven = word & ~highBits
        let low = ~(seven &+ everywhere(0x80 - 0x20))
        let delete = ~((seven ^ everywhere(0x7f)) &+ everywhere(0x7f))
        return (low | delete) & ~word & highBits
    }
}

extension UInt8 {
    static let horizontalTab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0a
    static let carriageReturn: UInt8 = 0x0d
    static let space: UInt8 = 0x20
    static let percent: UInt8 = 0x25
    static let comma: UInt8 = 0x2c
    static let period: UInt8 = 0x2e
    static let slash: UInt8 = 0x2f
    static let colon: UInt8 = 0x3a
    static let semicolon: UInt8 = 0x3b
    static let questionMark: UInt8 = 0x3f

    @inline(__always)
    var isWhitespace: Bool { self == .space || self == .horizontalTab }

    /// The value of a hexadecimal digit of either case.
    var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
