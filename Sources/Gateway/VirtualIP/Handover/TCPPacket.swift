import Posix

/// An IP packet with one whole TCP segment directly behind its header.
///
/// As it is seen on a machine it may be longer than any link takes, because the kernel sends and receives several
/// segments as one, and without checksums, if it never was on a wire between virtual machines.
struct TCPPacket {
    private enum Flag {
        static let fin: UInt8 = 0x01
        static let push: UInt8 = 0x08
        static let acknowledgement: UInt8 = 0x10
        static let syn: UInt8 = 0x02
    }

    private static let tcp: UInt8 = 6
    /// Beneath this a link takes no IP at all (RFC 8200, section 5).
    private static let shortestLimit = 1280

    let destination: IPAddress
    /// Without the padding of the link.
    private let bytes: ArraySlice<UInt8>
    private let version: HeldArrivals.IPVersion
    /// Both addresses.
    private let addresses: Range<Int>
    /// Where the TCP header begins, and where the payload does.
    private let segment: Int
    private let payload: Int

    /// Nil for what is anything else.
    init?(_ packet: HeldArrivals.Packet) {
        let bytes = packet.bytes
        func number(_ place: Int) -> Int { Int(bytes[place]) << 8 | Int(bytes[place + 1]) }
        let total: Int
        let target: Range<Int>
        switch packet.version {
        case .four:
            guard bytes.count >= 20 else { return nil }
            segment = Int(bytes[0] & 0xf) * 4
            total = number(2)
            let isFragment = number(6) & 0x3fff != 0
            guard bytes[9] == Self.tcp, !isFragment, segment >= 20 else { return nil }
            (addresses, target) = (12..<20, 16..<20)
        case .six:
            guard bytes.count >= 40, bytes[6] == Self.tcp else { return nil }
            segment = 40
            total = 40 + number(4)
            (addresses, target) = (8..<40, 24..<40)
        }
        guard total <= bytes.count, segment + 20 <= total else { return nil }
        payload = segment + Int(bytes[segment + 12] >> 4) * 4
        guard payload >= segment + 20, payload <= total,
            let destination = IPAddress(networkBytes: bytes[target])
        else { return nil }
        self.destination = destination
        self.bytes = bytes[..<total]
        version = packet.version
    }

    var asksForConnection: Bool { bytes[segment + 13] & (Flag.syn | Flag.acknowledgement) == Flag.syn }

    /// The same as packets of at most `limit` bytes each, with checksums.
    func pieces(ofAtMost limit: Int) -> [[UInt8]] {
        let room = max(limit, Self.shortestLimit) - payload
        if bytes.count - payload <= room { return [piece(payload..<bytes.count)] }
        return stride(from: payload, to: bytes.count, by: room).map { piece($0..<min($0 + room, bytes.count)) }
    }

    private func piece(_ range: Range<Int>) -> [UInt8] {
        var piece = Array(bytes[..<payload] + bytes[range])
        if range.count < bytes.count - payload { adapt(&piece, to: range) }
        let length = piece.count - segment
        let pseudoHeader =
            piece[addresses] + [0, Self.tcp, UInt8(length >> 8 & 0xff), UInt8(truncatingIfNeeded: length)]
        piece.replaceSubrange(segment + 16..<segment + 18, with: [0, 0])
        let padding: [UInt8] = length % 2 == 0 ? [] : [0]
        Self.write(
            Announcement.internetChecksum(pseudoHeader + piece[segment...] + padding), to: &piece, at: segment + 16)
        return piece
    }

    /// Makes a head that says what one piece of several is. The first and the last keep what the whole one says at its
    /// beginning and its end.
    private func adapt(_ piece: inout [UInt8], to range: Range<Int>) {
        let sequence = bytes[segment + 4..<segment + 8].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        let own = sequence &+ UInt32(range.lowerBound - payload)
        Self.write(UInt16(own >> 16), to: &piece, at: segment + 4)
        Self.write(UInt16(truncatingIfNeeded: own), to: &piece, at: segment + 6)
        if range.upperBound < bytes.count { piece[segment + 13] &= ~(Flag.fin | Flag.push) }
        switch version {
        case .four:
            Self.write(UInt16(truncatingIfNeeded: piece.count), to: &piece, at: 2)
            Self.write(0, to: &piece, at: 10)
            Self.write(Announcement.internetChecksum(Array(piece[..<segment])), to: &piece, at: 10)
        case .six: Self.write(UInt16(truncatingIfNeeded: piece.count - 40), to: &piece, at: 4)
        }
    }

    private static func write(_ value: UInt16, to bytes: inout [UInt8], at place: Int) {
        bytes[place] = UInt8(value >> 8)
        bytes[place + 1] = UInt8(truncatingIfNeeded: value)
    }
}
