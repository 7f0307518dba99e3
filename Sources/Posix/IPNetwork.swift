/// All addresses that begin with the same bits, as `10.0.0.0/8` or `2001:db8::/32`.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    package let address: IPAddress
    /// Of 32 bits for IPv4, of 128 for IPv6.
    package let prefixLength: Int
    private let highMask: UInt64
    private let lowMask: UInt64

    /// Nil when the length is out of range, or when `address` has bits behind it.
    package init?(_ address: IPAddress, prefixLength: Int) {
        guard 0...(address.isIPv4 ? 32 : 128) ~= prefixLength else { return nil }
        let bits = address.isIPv4 ? prefixLength + 96 : prefixLength
        // Shifts by the full width give zero.
        highMask = bits >= 64 ? .max : ~(UInt64.max >> UInt64(bits))
        lowMask = bits <= 64 ? 0 : ~(UInt64.max >> UInt64(bits - 64))
        guard address.high & ~highMask == 0, address.low & ~lowMask == 0 else { return nil }
        self.address = address
        self.prefixLength = prefixLength
    }

    /// Whether `other` is one of its addresses. No IPv6 network has IPv4 ones.
    package func contains(_ other: IPAddress) -> Bool {
        other.high & highMask == address.high && other.low & lowMask == address.low && other.isIPv4 == address.isIPv4
    }

    package var description: String { "\(address)/\(prefixLength)" }
}
