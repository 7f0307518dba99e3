import CLinux
import Glibc
import Posix

/// From where a guard tells the other nodes of a release, and where they answer: a UDP socket of each family.
final class NoticeSocket: Sendable {
    private let four: FileDescriptor
    /// Nil where the machine has no IPv6.
    private let six: Int32?

    init() throws(SystemError) {
        four = try Self.open(AF_INET)
        six = (try? Self.open(AF_INET6))?.take()
    }

    deinit {
        if let six { close(six) }
    }

    private static func open(_ family: Int32) throws(SystemError) -> FileDescriptor {
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = socket(family, type, 0)
        guard raw >= 0 else { throw SystemError("open a UDP socket") }
        return FileDescriptor(owning: raw)
    }

    /// What can not be sent is lost.
    func send(_ bytes: [UInt8], to receiver: SocketAddress) {
        guard let raw = receiver.ip.isIPv4 ? four.raw : six else { return }
        _ = receiver.withSockaddr { sendto(raw, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1) }
    }

    /// Returns when something is to be received, here or by one of `others`, or when the time is over.
    func wait(within limit: Nanoseconds, or others: [Int32]) {
        var polls = ([four.raw, six ?? -1] + others).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polls, nfds_t(polls.count), Int32(limit.milliseconds.rounded(.up)))
    }

    /// A datagram that waits and who sent it; nil when none does.
    func receive() -> ([UInt8], SocketAddress)? {
        Datagram.receive(four.raw) ?? six.flatMap { Datagram.receive($0) }
    }
}

/// Datagrams with their senders.
enum Datagram {
    /// One that waits, at most `BequestNote.datagramLimit` bytes of it; nil when none does.
    static func receive(_ raw: Int32) -> ([UInt8], SocketAddress)? {
        withUnsafeTemporaryAllocation(byteCount: BequestNote.datagramLimit, alignment: 8) { buffer in
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let count = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    retryingOnInterrupt {
                        recvfrom(raw, buffer.baseAddress!, buffer.count, Int32(MSG_DONTWAIT), address, &length)
                    }
                }
            }
            guard count >= 0, let sender = SocketAddress(storage) else { return nil }
            return (Array(buffer[..<count]), sender)
        }
    }
}
