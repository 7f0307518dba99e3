import CLinux
import Glibc
import Posix

/// Gives packets for addresses of this machine to its own IP, as if they had just arrived (raw(7)): they come from the
/// loopback interface, behind what drops on the real one. No call blocks.
struct LocalDelivery: ~Copyable, Sendable {
    /// Negative where the kernel does not give one.
    private let four, six: Int32

    /// Needs CAP_NET_RAW; without it nothing is delivered.
    init() {
        four = Self.open(AF_INET)
        six = Self.open(AF_INET6)
    }

    deinit {
        for raw in [four, six] where raw >= 0 { close(raw) }
    }

    private static func open(_ family: Int32) -> Int32 {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        return socket(family, type, Int32(IPPROTO_RAW))
    }

    /// What can not be delivered is lost, like anything on a network.
    borrowing func deliver(_ packet: HeldArrivals.Packet) {
        guard let target = TCPPacket(packet)?.destination else { return }
        let raw =
            switch packet.version {
            case .four: four
            case .six: six
            }
        _ = SocketAddress(ip: target, port: 0).withSockaddr { address, length in
            sendto(raw, packet.bytes, packet.bytes.count, Int32(MSG_NOSIGNAL), address, length)
        }
    }
}
