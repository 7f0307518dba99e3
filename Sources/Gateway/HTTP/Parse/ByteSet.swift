/// A set of ASCII characters, asked in a few instructions. Bytes from 128 on are in none.
///
/// The sets are computed properties, so that they end up as immediate operands.
struct ByteSet {
    /// Bit n stands for the character n, or n + 64.
    private let low: UInt64
    private let high: UInt64

    private init(_ low: UInt64, _ high: UInt64) {
        self.low = low
        self.high = high
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let half = byte < 64 ? low : high
        return byte < 128 && half >> UInt64(byte & 63) & 1 != 0
    }

    /// Letters, digits and `!#$%&'*+-.^_|~` with the grave accent: RFC 9110 section 5.6.2.
    static var token: ByteSet { ByteSet(0x03ff_6cfa_0000_0000, 0x57ff_ffff_c7ff_fffe) }

    /// Letters, digits and `-._~`: RFC 3986 section 2.3.
    static var unreserved: ByteSet { ByteSet(0x03ff_6000_0000_0000, 0x47ff_fffe_87ff_fffe) }

    /// What may stand in a path: RFC 3986 section 3.3 without the percent sign, and `[]^{|}` with the grave accent,
    /// which browsers do not encode and which delimit nothing. No backslash, which some servers take for a slash.
    static var path: ByteSet { ByteSet(0x2fff_ffd2_0000_0000, 0x7fff_ffff_efff_ffff) }

    /// What may stand in a query: every visible character but `"#<>`, as the URL standard of the browsers has it.
    static var query: ByteSet { ByteSet(0xafff_fff2_0000_0000, 0x7fff_ffff_ffff_ffff) }

    /// A registered name, RFC 3986 section 3.2.2, without percent-encoding: nobody routes by an encoded host name,
    /// and a backend that decodes it would see another host than the gateway did.
    static var registeredName: ByteSet { ByteSet(0x2bff_7fd2_0000_0000, 0x47ff_fffe_87ff_fffe) }

    /// The inside of an IPv6 literal.
    static var ipv6: ByteSet { ByteSet(0x07ff_4000_0000_0000, 0x0000_007e_0000_007e) }
}
