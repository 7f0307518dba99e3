import Glibc
import Posix

/// An address in text, within a message.
enum NumericAddress {
    /// The longest IPv6 address in text, RFC 4291 section 2.2.
    private static let longest = 45

    /// Nil when the bytes are no address of the family.
    static func parse(_ bytes: RawSpan, _ slice: ByteSlice, _ family: Int32) -> IPAddress? {
        guard 1...longest ~= Int(slice.count) else { return nil }
        var text = InlineArray<46, CChar>(repeating: 0)
        for index in slice.range {
            // What is behind it would not be looked at.
            guard Scan.byte(bytes, index) != 0 else { return nil }
            text[index - slice.start] = CChar(bitPattern: Scan.byte(bytes, index))
        }
        return withUnsafeBytes(of: &text) { text in
            let text = text.assumingMemoryBound(to: CChar.self).baseAddress!
            if family == AF_INET {
                var four = in_addr()
                return inet_pton(AF_INET, text, &four) == 1 ? IPAddress(v4: UInt32(bigEndian: four.s_addr)) : nil
            }
            var words = (UInt64(0), UInt64(0))
            guard inet_pton(AF_INET6, text, &words) == 1 else { return nil }
            return IPAddress(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
        }
    }
}
