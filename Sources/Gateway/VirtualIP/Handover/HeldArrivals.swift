import CLinux
import Posix

/// Keeps the TCP segments that arrive for addresses which this machine gives up, until a neighbour announces that it has
/// them, and then passes them on to it. A lost SYN would cost its client a second, a lost request a fifth of one.
///
/// A pure core: packets in, packets out.
package struct HeldArrivals: Hashable, Sendable {
    package typealias Hardware = [UInt8]

    /// Which segments are kept.
    package enum Scope: Hashable, Sendable {
        /// Those that ask for a new connection.
        case newConnections
        /// All, because the next holder goes on with the open connections.
        case everything
    }

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

    /// What is kept, packets and their bytes; later ones are dropped.
    package enum Limit {
        package static let packets = 4096
        package static let bytes = 8 << 20
    }

    private struct Held: Hashable, Sendable {
        var address: IPAddress
        var packet: Packet
        var asksForConnection: Bool
    }

    /// Whose arrivals are kept.
    package var addresses: Set<IPAddress> = []
    package var scope = Scope.newConnections
    /// Segments of open connections are kept until the next holder has made these.
    package var awaitsConnections = false
    private let own: Hardware
    private let packetBytes: Int
    private var held: [Held] = []
    private var heldBytes = 0
    /// Who has announced which address.
    private var heirs: [IPAddress: Hardware] = [:]

    /// - Parameters:
    ///   - own: Announcements from this hardware address are this machine's.
    ///   - packetBytes: The longest packet that the link takes (its MTU).
    package init(own: Hardware, packetBytes: Int) {
        self.own = own
        self.packetBytes = packetBytes
    }

    /// Takes a packet; what is to be sent now. `sender` is the hardware address that it came from.
    package mutating func take(_ bytes: [UInt8], protocolNumber: Int32, from sender: Hardware) -> [Forward] {
        switch protocolNumber {
        case ETH_P_IP: return takeSegment(Packet(bytes, .four))
        case ETH_P_IPV6:
            if let address = Self.advertised(bytes) { return announced(address, by: sender) }
            return takeSegment(Packet(bytes, .six))
        case ETH_P_ARP:
            guard let address = Self.arpSender(bytes) else { return [] }
            return announced(address, by: sender)
        default: return []
        }
    }

    private mutating func takeSegment(_ packet: Packet) -> [Forward] {
        guard let segment = TCPPacket(packet), addresses.contains(segment.destination) else { return [] }
        switch scope {
        case .newConnections: if !segment.asksForConnection { return [] }
        case .everything: break
        }
        let waits = awaitsConnections && !segment.asksForConnection
        if !waits, let heir = heirs[segment.destination] { return forwards(packet, to: heir) }
        guard held.count < Limit.packets, heldBytes + packet.bytes.count <= Limit.bytes else { return [] }
        held.append(
            Held(address: segment.destination, packet: packet, asksForConnection: segment.asksForConnection))
        heldBytes += packet.bytes.count
        return []
    }

    private mutating func announced(_ address: IPAddress, by sender: Hardware) -> [Forward] {
        guard sender != own, addresses.contains(address) else { return [] }
        heirs[address] = sender
        return passOn { $0.address == address }
    }

    /// The next holder has made the open connections.
    package mutating func connectionsAreThere() -> [Forward] {
        awaitsConnections = false
        return passOn { _ in true }
    }

    /// This machine keeps `addresses`: what asked them for a connection, with checksums. The rest that is kept for them is
    /// dropped, and comes again.
    package mutating func letIn(_ addresses: Set<IPAddress>) -> [Packet] {
        let returning = held.filter { addresses.contains($0.address) }
        held.removeAll { addresses.contains($0.address) }
        heldBytes = held.reduce(0) { $0 + $1.packet.bytes.count }
        for address in addresses { heirs[address] = nil }
        return returning.filter(\.asksForConnection).flatMap { pieces($0.packet) }
    }

    /// What is due of that which is kept, as far as its next holder is known.
    private mutating func passOn(_ isMeant: @escaping (Held) -> Bool) -> [Forward] {
        let isDue = { [heirs, awaitsConnections] (held: Held) in
            isMeant(held) && heirs[held.address] != nil && (held.asksForConnection || !awaitsConnections)
        }
        let due = held.filter(isDue)
        held.removeAll(where: isDue)
        heldBytes = held.reduce(0) { $0 + $1.packet.bytes.count }
        return due.flatMap { held in heirs[held.address].map { forwards(held.packet, to: $0) } ?? [] }
    }

    private func forwards(_ packet: Packet, to heir: Hardware) -> [Forward] {
        pieces(packet).map { Forward(packet: $0, target: heir) }
    }

    private func pieces(_ packet: Packet) -> [Packet] {
        TCPPacket(packet)?.pieces(ofAtMost: packetBytes).map { Packet($0, packet.version) } ?? []
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
