import CLinux
import Glibc
import Posix

/// Counts TCP connections by asking the kernel (sock_diag(7)), which also knows those that no worker has accepted yet
/// and those whose last bytes the client has not acknowledged.
package struct ConnectionCensus: ~Copyable {
    private static let answerTimeout = timeval(tv_sec: 0, tv_usec: 100_000)
    private static let bufferBytes = 64 << 10
    /// The states (include/net/tcp_states.h) of a connection on which something may still be under way: all but those
    /// in which the client has acknowledged everything, our FIN included.
    private static let states: UInt32 = [1, 3, 4, 8, 9, 11, 12].reduce(0) { $0 | 1 << $1 }

    private let descriptor: FileDescriptor

    package init() throws(SystemError) {
        let raw = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
        guard raw >= 0 else { throw SystemError("open a socket for diagnosis") }
        descriptor = FileDescriptor(owning: raw)
        var timeout = Self.answerTimeout
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Connections of clients to `addresses` that are not finished.
    package borrowing func connections(to addresses: Set<IPAddress>) throws(SystemError) -> Int {
        try count(family: AF_INET, addresses) + count(family: AF_INET6, addresses)
    }

    private borrowing func count(family: Int32, _ addresses: Set<IPAddress>) throws(SystemError) -> Int {
        var request = inet_diag_req_v2()
        request.sdiag_family = UInt8(family)
        request.sdiag_protocol = UInt8(IPPROTO_TCP)
        request.idiag_states = Self.states
        var message = NetlinkMessageBuilder(
            type: SOCK_DIAG_BY_FAMILY, flags: NLM_F_REQUEST | NLM_F_DUMP, 1)
        message.append(request)
        let bytes = message.finished()
        guard Glibc.send(descriptor.raw, bytes, bytes.count, 0) == bytes.count else {
            throw SystemError("ask for connections")
        }
        var total = 0
        while try !takeAnswer(addresses, &total) {}
        return total
    }

    /// True at the end of the list.
    private borrowing func takeAnswer(_ addresses: Set<IPAddress>, _ total: inout Int) throws(SystemError) -> Bool {
        try withUnsafeTemporaryAllocation(byteCount: Self.bufferBytes, alignment: 8) { buffer throws(SystemError) in
            let count = retryingOnInterrupt { recv(descriptor.raw, buffer.baseAddress!, buffer.count, 0) }
            guard count > 0 else { throw SystemError("list connections") }
            var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            while rest.count >= MemoryLayout<nlmsghdr>.size {
                let header = rest.loadUnaligned(as: nlmsghdr.self)
                let length = Int(header.nlmsg_len)
                guard length >= MemoryLayout<nlmsghdr>.size, length <= rest.count else { break }
                if Int32(header.nlmsg_type) == NLMSG_DONE { return true }
                if Int32(header.nlmsg_type) == NLMSG_ERROR {
                    throw SystemError("list connections", code: EPROTO)
                }
                let body = UnsafeRawBufferPointer(rebasing: rest[MemoryLayout<nlmsghdr>.size..<length])
                if let address = Self.busy(body), addresses.contains(address) { total += 1 }
                rest = UnsafeRawBufferPointer(rebasing: rest[min(netlinkAligned(length), rest.count)...])
            }
            return false
        }
    }

    /// The address of this machine, nil when the client has gone: it did not acknowledge our SYN within a second, or
    /// what was sent twice again. Such connections are left from when this machine last lost the address.
    private static func busy(_ body: UnsafeRawBufferPointer) -> IPAddress? {
        guard body.count >= MemoryLayout<inet_diag_msg>.size else { return nil }
        let message = body.loadUnaligned(as: inet_diag_msg.self)
        let isNew = [3, 12].contains(message.idiag_state)
        if message.idiag_retrans > (isNew ? 0 : 1) { return nil }
        return withUnsafeBytes(of: message.id.idiag_src) { source in
            IPAddress(networkBytes: source.prefix(Int32(message.idiag_family) == AF_INET ? 4 : 16))
        }
    }
}
