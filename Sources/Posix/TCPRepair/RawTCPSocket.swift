import CLinux
import Glibc

/// Sends TCP segments from an address of this machine, and hears all that arrive for it, beside the kernel's own TCP. It
/// needs CAP_NET_RAW and never waits.
package final class RawTCPSocket {
    /// Of what waits to be read; the kernel counts more for a segment than it has bytes.
    private static let bufferBytes = 8 << 20

    package let local: IPAddress
    private let descriptor: FileDescriptor

    /// - Parameter hears: Otherwise it sends, and nothing that arrives waits in it.
    package init(at local: IPAddress, hears: Bool = true) throws(SystemError) {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = socket(local.isIPv4 ? AF_INET : AF_INET6, type, Int32(IPPROTO_TCP))
        guard raw >= 0 else { throw SystemError("open a raw socket") }
        descriptor = FileDescriptor(owning: raw)
        self.local = local
        guard SocketAddress(ip: local, port: 0).withSockaddr({ bind(raw, $0, $1) }) == 0 else {
            throw SystemError("bind a raw socket to", "\(local)")
        }
        if hears {
            try? Socket.enlarge(raw, .receiving, toHold: Self.bufferBytes)
        } else {
            try Socket.ignoreArrivals(raw)
        }
    }

    package var raw: Int32 { descriptor.raw }

    /// What can not be sent is lost, like anything on a network.
    package func send(_ segment: [UInt8], to peer: IPAddress) {
        _ = SocketAddress(ip: peer, port: 0).withSockaddr { address, length in
            sendto(descriptor.raw, segment, segment.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), address, length)
        }
    }

    /// The next segment: how many bytes it has in all, and who sent it. `buffer` is filled with its beginning, from its
    /// TCP header on. Nil when there is none; a packet that is none has no bytes.
    package func receive(_ buffer: inout [UInt8]) -> (bytes: Range<Int>, total: Int, peer: IPAddress)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                retryingOnInterrupt {
                    recvfrom(descriptor.raw, &buffer, buffer.count, Int32(MSG_TRUNC), address, &length)
                }
            }
        }
        guard count >= 0, let peer = SocketAddress(storage)?.ip else { return nil }
        // The kernel hands IPv4 packets over with their header, and IPv6 ones without.
        let header = local.isIPv4 && count > 0 ? Int(buffer[0] & 0xf) * 4 : 0
        guard header <= min(count, buffer.count) else { return (0..<0, 0, peer) }
        return (header..<min(count, buffer.count), count - header, peer)
    }
}
