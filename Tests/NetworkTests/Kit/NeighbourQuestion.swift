import CLinux
import Gateway
import Glibc
import Posix

/// Who has an address, asked as a machine on its network does: by ARP (RFC 826), or by a neighbour solicitation (RFC
/// 4861). Each question has a mark, the address that it claims to come from, which the answers repeat.
struct NeighbourQuestion {
    typealias Hardware = [UInt8]

    /// A mark is used again after this many questions; answers are long there by then.
    static let marks = 120

    let target: IPAddress
    /// Of the one who asks, and is answered.
    let hardware: Hardware

    static func protocolNumber(_ target: IPAddress) -> UInt16 { UInt16(target.isIPv4 ? ETH_P_ARP : ETH_P_IPV6) }

    /// Everybody, or those whose addresses end alike (RFC 2464).
    var destination: Hardware {
        target.isIPv4 ? [UInt8](repeating: 0xff, count: 6) : [0x33, 0x33, 0xff] + target.networkBytes.suffix(3)
    }

    func packet(_ mark: Int) -> [UInt8] {
        let source = source(mark).networkBytes
        if target.isIPv4 {
            let head: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 1]
            return head + hardware + source + [UInt8](repeating: 0, count: 6) + target.networkBytes
        }
        let group: [UInt8] = [0xff, 2] + [UInt8](repeating: 0, count: 9) + [1, 0xff] + target.networkBytes.suffix(3)
        let sourceLinkLayerAddress: [UInt8] = [1, 1]
        let rest: [UInt8] = [0, 0, 0, 0] + target.networkBytes + sourceLinkLayerAddress + hardware
        let length = UInt8(4 + rest.count)
        let checksum = Announcement.internetChecksum(
            source + group + [0, 0, 0, length, 0, 0, 0, 58] + [135, 0, 0, 0] + rest)
        let solicitation: [UInt8] = [135, 0, UInt8(checksum >> 8), UInt8(truncatingIfNeeded: checksum)] + rest
        return [0x60, 0, 0, 0, 0, length, 58, 255] + source + group + solicitation
    }

    /// From whom a packet is an answer to which mark; nil when it is none.
    func answer(_ packet: [UInt8]) -> (Hardware, mark: Int)? {
        if target.isIPv4 {
            guard packet.count >= 28, packet[7] == 2, Array(packet[14..<18]) == target.networkBytes,
                let mark = mark(Array(packet[24..<28]))
            else { return nil }
            return (Array(packet[8..<14]), mark)
        }
        // An advertisement with the address of its sender's interface.
        guard packet.count >= 72, packet[6] == 58, packet[40] == 136, Array(packet[48..<64]) == target.networkBytes,
            packet[64] == 2, let mark = mark(Array(packet[24..<40]))
        else { return nil }
        return (Array(packet[66..<72]), mark)
    }

    /// Addresses that nobody has: of the lab's network 10.77.0.0/24 from .110 on, or of the link.
    private func source(_ mark: Int) -> IPAddress {
        target.isIPv4
            ? IPAddress(v4: target.v4 & 0xffff_ff00 | UInt32(110 + mark))
            : IPAddress(high: 0xfe80_0000_0000_0000, low: UInt64(0x7700_0000 + mark))
    }

    private func mark(_ source: [UInt8]) -> Int? {
        (0..<Self.marks).first { self.source($0).networkBytes == source }
    }
}
