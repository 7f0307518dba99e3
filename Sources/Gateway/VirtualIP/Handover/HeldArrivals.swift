import CLinux
import Posix

/// Keeps the first packets of new connections that arrive for addresses which this machine gives up, until a neighbour
/// announces that it has them, and then passes them on to it. A SYN lost in between would cost its client a second.
///
/// A pure core: packets in, packets out.
package struct HeldArrivals: Hashable, Sendable {
    package typealias Hardware = [UInt8]

    /// A packet as it lies on the link behind the link's own header.
    package struct Packet: Hashable, Sendable {
        package var bytes: [UInt8]
        package var version: IPVersion

        package init(_ bytes: [UInt8], _ version: IPVersion) {
            self.bytes = bytes
            self.version = version
        }
    }

    package enum IPVersion: Hashable, Sendable {
        case four, six
    }

    package struct Forward: Hashable, Sendable {
        package var packet: Packet
        package var target: Hardware
    }

    /// Packets that are kept; later ones are dropped.
    package static let limit = 4096

    private struct Held: Hashable, Sendable {
        var address: IPAddress
        var packet: Packet
    }

    /// Whose arrivals are kept.
    package var addresses: Set<IPAddress> = []
    private let own: Hardware
    private var held: [Held] = []
    /// Who has announced which address.
    private var heirs: [IPAddress: Hardware] = [:]

    /// `own`: announcements from this hardware address are this machine's.
    package init(own: Hardware) { self.own = own }

    /// Takes a packet; what is to be sent now. `sender` is the hardware address that it came from.
    package mutating func take(_ bytes: [UInt8], protocolNumber: Int32, from sender: Hardware) -> [Forward] {
        switch protocolNumber {
        case ETH_P_IP: return takeSYN(Packet(bytes, .four))
        case ETH_P_IPV6:
            if let address = Self.advertised(bytes) { return announced(address, by: sender) }
            return takeSYN(Packet(bytes, .six))
        case ETH_P_ARP:
            guard let address = Self.arpSender(bytes) else { return [] }
            return announced(address, by: sender)
        default: return []
        }
    }

    private mutating func takeSYN(_ packet: Packet) -> [Forward] {
        guard let (address, whole) = packet.asSYN, addresses.contains(address) else { return [] }
        if let heir = heirs[address] { return [Forward(packet: whole, target: heir)] }
        if held.count < Self.limit { held.append(Held(address: address, packet: whole)) }
        return []
    }

    private mutating func announced(_ address: IPAddress, by sender: Hardware) -> [Forward] {
        guard sender != own, addresses.contains(address) else { return [] }
        heirs[address] = sender
        let forwards = held.filter { $0.address == address }.map { Forward(packet: $0.packet, target: sender) }
        held.removeAll { $0.address == address }
        return forwards
    }

    /// The sender's protocol address of an ARP packet for IPv4 over Ethernet (RFC 826).
    private static func arpSender(_ bytes: [UInt8]) -> IPAddress? {
        guard bytes.count >= 28, bytes[2...5].elementsEqual([8, 0, 6, 4]) else { return nil }
        return IPAddress(networkBytes: bytes[14..<18])
    }

    /// The target of a neighbour advertisement (RFC 4861, section 4.4).
    private static func advertised(_ bytes: [UInt8]) -> IPAddress? {
        let icmpv6: UInt8 = 58
        guard bytes.count >= 64, bytes[6] == icmpv6, bytes[40] == 136 else { return nil }
        return IPAddress(networkBytes: bytes[48..<64])
    }
}

extension HeldArrivals.Packet {
    private static let tcp: UInt8 = 6

    /// Where a TCP segment begins that asks for a connection, its destination, and the packet with a checksum: one
    /// that never was on a wire, between virtual machines, may have none yet.
    fileprivate var asSYN: (IPAddress, Self)? {
        guard let layout else { return nil }
        let segment = layout.segment
        guard segment.count >= 20, segment.count % 2 == 0, bytes[segment.startIndex + 13] & 0x12 == 0x02 else {
            return nil
        }
        var whole = self
        whole.bytes.removeSubrange(segment.endIndex...)
        let place = segment.startIndex + 16
        whole.bytes.replaceSubrange(place..<place + 2, with: [0, 0])
        let length = UInt16(segment.count)
        let pseudoHeader =
            Array(bytes[layout.addresses]) + [0, Self.tcp, UInt8(length >> 8), UInt8(truncatingIfNeeded: length)]
        let sum = Announcement.internetChecksum(pseudoHeader + whole.bytes[segment])
        whole.bytes.replaceSubrange(place..<place + 2, with: [UInt8(sum >> 8), UInt8(truncatingIfNeeded: sum)])
        return IPAddress(networkBytes: bytes[layout.destination]).map { ($0, whole) }
    }

    /// Nil for what is not one whole TCP segment directly behind the IP header.
    private var layout: (addresses: Range<Int>, destination: Range<Int>, segment: Range<Int>)? {
        func number(_ place: Int) -> Int { Int(bytes[place]) << 8 | Int(bytes[place + 1]) }
        switch version {
        case .four:
            guard bytes.count >= 20 else { return nil }
            let header = Int(bytes[0] & 0xf) * 4
            let total = number(2)
            let isFragment = number(6) & 0x3fff != 0
            guard bytes[9] == Self.tcp, !isFragment, header >= 20, header <= total, total <= bytes.count else {
                return nil
            }
            return (12..<20, 16..<20, header..<total)
        case .six:
            guard bytes.count >= 40 else { return nil }
            let total = 40 + number(4)
            guard bytes[6] == Self.tcp, total <= bytes.count else { return nil }
            return (8..<40, 24..<40, 40..<total)
        }
    }
}
