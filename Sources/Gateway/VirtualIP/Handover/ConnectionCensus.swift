import CLinux
import Glibc
import Posix

/// Knows TCP connections by asking the kernel (sock_diag(7)), which also knows those that no worker has accepted yet
/// and those whose last bytes the client has not acknowledged.
package struct ConnectionCensus: ~Copyable {
    private static let answerTimeout = timeval(tv_sec: 0, tv_usec: 100_000)
    private static let bufferBytes = 64 << 10
    /// The states (include/net/tcp_states.h) of a connection on which something may still be under way: all but those
    /// in which the client has acknowledged everything, our FIN included.
    private static let states: UInt32 = [1, 3, 4, 8, 9, 11, 12].reduce(0) { $0 | 1 << $1 }

    let descriptor: FileDescriptor

    package init() throws(SystemError) {
        let raw = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
        guard raw >= 0 else { throw SystemError("open a socket for diagnosis") }
        descriptor = FileDescriptor(owning: raw)
        var timeout = Self.answerTimeout
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    /// How many connections of clients to `addresses` are not finished.
    package borrowing func connections(to addresses: Set<IPAddress>) throws(SystemError) -> Int {
        var count = 0
        try forEach(to: addresses) { if !Self.isGivenUp($0) { count += 1 } }
        return count
    }

    /// Those that both ends have made. This machine may send in vain since it lost the address, while the client waits.
    package borrowing func flows(to addresses: Set<IPAddress>) throws(SystemError) -> [ConnectionRecord.Flow] {
        var flows: [ConnectionRecord.Flow] = []
        try forEach(to: addresses) { message in
            if !Self.isNew(message), let flow = ConnectionRecord.Flow(message) { flows.append(flow) }
        }
        return flows
    }

    /// The same; none, and said, where the kernel does not tell.
    package static func knownFlows(to addresses: Set<IPAddress>) -> [ConnectionRecord.Flow] {
        if addresses.isEmpty { return [] }
        do throws(SystemError) { return try ConnectionCensus().flows(to: addresses) } catch {
            Log.warning("vip: the kernel does not tell which connections there are: \(error)")
            return []
        }
    }

    private borrowing func forEach(
        to addresses: Set<IPAddress>, _ body: (inet_diag_msg) -> Void
    ) throws(SystemError) {
        for family in [AF_INET, AF_INET6] { try forEach(family: family, to: addresses, body) }
    }

    private borrowing func forEach(
        family: Int32, to addresses: Set<IPAddress>, _ body: (inet_diag_msg) -> Void
    ) throws(SystemError) {
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
        while try !takeAnswer(addresses, body) {}
    }

    /// True at the end of the list.
    private borrowing func takeAnswer(
        _ addresses: Set<IPAddress>, _ body: (inet_diag_msg) -> Void
    ) throws(SystemError) -> Bool {
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
                let content = UnsafeRawBufferPointer(rebasing: rest[MemoryLayout<nlmsghdr>.size..<length])
                if content.count >= MemoryLayout<inet_diag_msg>.size {
                    let message = content.loadUnaligned(as: inet_diag_msg.self)
                    if let local = IPAddress(message, message.id.idiag_src), addresses.contains(local) { body(message) }
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[min(netlinkAligned(length), rest.count)...])
            }
            return false
        }
    }

    /// Whether the client has gone: it did not acknowledge our SYN within a second, or what was sent twice again. Such
    /// connections are left from when this machine last lost the address.
    static func isGivenUp(_ message: inet_diag_msg) -> Bool {
        message.idiag_retrans > (isNew(message) ? 0 : 1)
    }

    /// Whether the client has not answered our SYN yet.
    private static func isNew(_ message: inet_diag_msg) -> Bool { [3, 12].contains(message.idiag_state) }
}

extension IPAddress {
    fileprivate init?(_ message: inet_diag_msg, _ words: (__be32, __be32, __be32, __be32)) {
        let count = Int32(message.idiag_family) == AF_INET ? 4 : 16
        guard let address = withUnsafeBytes(of: words, { IPAddress(networkBytes: $0.prefix(count)) }) else {
            return nil
        }
        self = address
    }
}

extension ConnectionRecord.Flow {
    fileprivate init?(_ message: inet_diag_msg) {
        guard let local = IPAddress(message, message.id.idiag_src), let peer = IPAddress(message, message.id.idiag_dst)
        else { return nil }
        self.init(
            local: SocketAddress(ip: local, port: UInt16(bigEndian: message.id.idiag_sport)),
            peer: SocketAddress(ip: peer, port: UInt16(bigEndian: message.id.idiag_dport)))
    }
}
