import CLinux
import Glibc
import Posix

/// A packet socket on one interface, for packets without their link's header (packet(7)). No call blocks.
struct PacketSocket: ~Copyable, Sendable {
    /// What a link's address may have at the most.
    private static let hardwareBytes = 8

    private let descriptor: FileDescriptor
    private let interface: UInt32
    /// The interface's own address; empty on a link without Ethernet addresses, which has no neighbours.
    let hardware: [UInt8]

    /// Needs CAP_NET_RAW. Nothing is heard before `hear`.
    init(interface: UInt32) throws(SystemError) {
        let flags = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = socket(AF_PACKET, Int32(SOCK_DGRAM.rawValue) | flags, 0)
        guard raw >= 0 else { throw SystemError("open a packet socket") }
        let descriptor = FileDescriptor(owning: raw)
        let own = try Self.bind(raw, Self.address(on: interface, protocolNumber: 0, []))
        let isEthernet = Int32(own.sll_hatype) == ARPHRD_ETHER && own.sll_halen == 6
        hardware = isEthernet ? Self.hardware(of: own) : []
        self.interface = interface
        self.descriptor = descriptor
    }

    var raw: Int32 { descriptor.raw }

    /// Packets of `protocolNumber` from now on, none for 0.
    borrowing func hear(_ protocolNumber: Int32) throws(SystemError) {
        _ = try Self.bind(raw, Self.address(on: interface, protocolNumber: protocolNumber, []))
    }

    /// Of what is heard from now on.
    borrowing func attach(filter program: [sock_filter]) throws(SystemError) {
        try Socket.attachFilter(raw, program)
    }

    /// `what` is for the error.
    borrowing func send(
        _ what: String, _ packet: [UInt8], _ protocolNumber: Int32, to destination: [UInt8]
    ) throws(SystemError) {
        var address = Self.address(on: interface, protocolNumber: protocolNumber, destination)
        let sent = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                retryingOnInterrupt {
                    sendto(raw, packet, packet.count, 0, address, socklen_t(MemoryLayout<sockaddr_ll>.size))
                }
            }
        }
        guard sent == packet.count else { throw SystemError("send", what) }
    }

    /// A packet, no bytes for one that `buffer` is too small for, and who sent it; nil when none is there.
    borrowing func receive(
        into buffer: inout [UInt8]
    ) -> (bytes: [UInt8], protocolNumber: Int32, sender: [UInt8])? {
        var address = sockaddr_ll()
        var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let count = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                retryingOnInterrupt { recvfrom(raw, &buffer, buffer.count, Int32(MSG_TRUNC), address, &length) }
            }
        }
        guard count >= 0 else { return nil }
        let bytes = count <= buffer.count ? Array(buffer[..<count]) : []
        return (bytes, Int32(UInt16(bigEndian: address.sll_protocol)), Self.hardware(of: address))
    }

    /// The address that the socket has then.
    private static func bind(_ raw: Int32, _ address: sockaddr_ll) throws(SystemError) -> sockaddr_ll {
        var address = address
        var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(raw, $0, length) == 0 ? getsockname(raw, $0, &length) : -1
            }
        }
        guard result == 0 else { throw SystemError("bind a packet socket") }
        return address
    }

    private static func address(
        on interface: UInt32, protocolNumber: Int32, _ destination: [UInt8]
    ) -> sockaddr_ll {
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_protocol = UInt16(protocolNumber).bigEndian
        address.sll_ifindex = Int32(interface)
        address.sll_halen = UInt8(destination.count)
        withUnsafeMutableBytes(of: &address.sll_addr) { $0.copyBytes(from: destination.prefix(hardwareBytes)) }
        return address
    }

    private static func hardware(of address: sockaddr_ll) -> [UInt8] {
        withUnsafeBytes(of: address.sll_addr) { Array($0.prefix(min(Int(address.sll_halen), hardwareBytes))) }
    }
}
