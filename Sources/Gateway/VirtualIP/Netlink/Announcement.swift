import CLinux
import Posix

/// The packets that tell a link's neighbours where an address is now.
package enum Announcement {
    package static let broadcast: [UInt8] = Array(repeating: 0xff, count: 6)
    /// The Ethernet address of the IPv6 all-nodes group ff02::1 (RFC 2464, section 7).
    package static let allNodes: [UInt8] = [0x33, 0x33, 0, 0, 0, 1]

    /// A gratuitous ARP request: sender and target are both `address` (RFC 5227, section 3). `hardware` has 6 bytes.
    package static func gratuitousARP(_ address: IPAddress, hardware: [UInt8]) -> [UInt8] {
        precondition(address.isIPv4 && hardware.count == 6, "ARP is IPv4 over Ethernet here")
        let ethernet: [UInt8] = [0, 1]
        let ipv4: [UInt8] = [8, 0]
        let lengths: [UInt8] = [6, 4]
        let request: [UInt8] = [0, 1]
        let unknown = [UInt8](repeating: 0, count: 6)
        let sender = hardware + address.networkBytes
        return ethernet + ipv4 + lengths + request + sender + unknown + address.networkBytes
    }

    /// An unsolicited neighbour advertisement with the override flag to all nodes (RFC 4861, sections 4.4 and
    /// 7.2.6), with its IPv6 header.
    package static func neighbourAdvertisement(_ address: IPAddress, hardware: [UInt8]) -> [UInt8] {
        precondition(!address.isIPv4 && hardware.count == 6, "neighbour discovery is IPv6 over Ethernet here")
        let override: UInt8 = 0x20
        let targetLinkLayerAddress: [UInt8] = [2, 1]
        let type: [UInt8] = [136, 0]
        let rest: [UInt8] =
            [override, 0, 0, 0] + address.networkBytes + targetLinkLayerAddress + hardware
        let length = UInt8(type.count + 2 + rest.count)
        let group = IPAddress(high: 0xff02_0000_0000_0000, low: 1)
        let icmpv6: UInt8 = 58
        let pseudoHeader = address.networkBytes + group.networkBytes + [0, 0, 0, length, 0, 0, 0, icmpv6]
        let checksum = internetChecksum(pseudoHeader + type + [0, 0] + rest)
        let hopLimit: UInt8 = 255
        let header: [UInt8] = [0x60, 0, 0, 0, 0, length, icmpv6, hopLimit]
        let sum = [UInt8(checksum >> 8), UInt8(truncatingIfNeeded: checksum)]
        return header + address.networkBytes + group.networkBytes + type + sum + rest
    }

    /// RFC 1071. `bytes` has an even count.
    package static func internetChecksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
        }
        while sum >> 16 != 0 { sum = (sum & 0xffff) + (sum >> 16) }
        return ~UInt16(sum)
    }
}

/// Sends announcements on one interface.
package struct AnnouncementSocket: ~Copyable {
    private let socket: PacketSocket

    /// Needs CAP_NET_RAW.
    package init(interface: UInt32) throws(SystemError) { socket = try PacketSocket(interface: interface) }

    package borrowing func announce(_ address: IPAddress) throws(SystemError) {
        guard !socket.hardware.isEmpty else { return }
        if address.isIPv4 {
            let packet = Announcement.gratuitousARP(address, hardware: socket.hardware)
            try socket.send("an announcement", packet, ETH_P_ARP, to: Announcement.broadcast)
        } else {
            let packet = Announcement.neighbourAdvertisement(address, hardware: socket.hardware)
            try socket.send("an announcement", packet, ETH_P_IPV6, to: Announcement.allNodes)
        }
    }
}
