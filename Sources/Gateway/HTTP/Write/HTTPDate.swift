import Glibc
import Posix

/// A moment as `Sun, 06 Nov 1994 08:49:37 GMT`, RFC 9110 section 5.6.7. A worker makes one a second.
package struct HTTPDate: Sendable {
    private var text = InlineArray<29, UInt8>(repeating: 0x20)

    package init(_ time: WallTime) {
        var seconds = time_t(time.millisecondsSince1970 / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        put(at: 0, Self.letters("SunMonTueWedThuFriSat", Int(parts.tm_wday)))
        text[3] = .comma
        put(at: 5, number: Int(parts.tm_mday))
        put(at: 8, Self.letters("JanFebMarAprMayJunJulAugSepOctNovDec", Int(parts.tm_mon)))
        let year = Int(parts.tm_year) + 1900
        put(at: 12, number: year / 100)
        put(at: 14, number: year % 100)
        put(at: 17, number: Int(parts.tm_hour))
        text[19] = .colon
        put(at: 20, number: Int(parts.tm_min))
        text[22] = .colon
        put(at: 23, number: Int(parts.tm_sec))
        put(at: 26, (UInt8(ascii: "G"), UInt8(ascii: "M"), UInt8(ascii: "T")))
    }

    private static func letters(_ names: StaticString, _ index: Int) -> (UInt8, UInt8, UInt8) {
        let start = names.utf8Start + index * 3
        return (start[0], start[1], start[2])
    }

    private mutating func put(at index: Int, _ letters: (UInt8, UInt8, UInt8)) {
        text[index] = letters.0
        text[index + 1] = letters.1
        text[index + 2] = letters.2
    }

    private mutating func put(at index: Int, number: Int) {
        text[index] = 0x30 + UInt8(number / 10 % 10)
        text[index + 1] = 0x30 + UInt8(number % 10)
    }
}
