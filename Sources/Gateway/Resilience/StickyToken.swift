/// 16 hexadecimal digits in a cookie.
package struct StickyToken: Hashable, Sendable, CustomStringConvertible {
    package static let digits = 16
    package var number: UInt64

    package init(number: UInt64) { self.number = number }

    package var description: String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: StickyToken.digits - text.utf8.count) + text
    }

    /// Finds the cookie in the value of a Cookie field, RFC 6265 section 4.2. What is not exactly a token is none.
    package init?(cookie name: RawSpan, in field: RawSpan) {
        var position = 0
        while position < field.byteCount {
            var end = position
            while end < field.byteCount, field.byte(end) != UInt8(ascii: ";") { end += 1 }
            var start = position
            while start < end, field.byte(start) == UInt8(ascii: " ") { start += 1 }
            if let token = StickyToken(pair: field, from: start, to: end, name) {
                self = token
                return
            }
            position = end + 1
        }
        return nil
    }

    private init?(pair field: RawSpan, from start: Int, to end: Int, _ name: RawSpan) {
        guard end - start == name.byteCount + 1 + StickyToken.digits,
            field.byte(start + name.byteCount) == UInt8(ascii: "=")
        else { return nil }
        for index in 0..<name.byteCount where field.byte(start + index) != name.byte(index) { return nil }
        number = 0
        for index in (start + name.byteCount + 1)..<end {
            switch field.byte(index) {
            case let digit where digit >= UInt8(ascii: "0") && digit <= UInt8(ascii: "9"):
                number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
            case let digit where digit >= UInt8(ascii: "a") && digit <= UInt8(ascii: "f"):
                number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            case _: return nil
            }
        }
    }
}

extension RawSpan {
    @inline(__always)
    fileprivate func byte(_ index: Int) -> UInt8 { unsafeLoad(fromByteOffset: index, as: UInt8.self) }
}
