import CLinux
import Glibc

/// TCP sockets, always non-blocking and close-on-exec.
package enum Socket {
    package struct ListenOptions: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// Several sockets share the port; the kernel spreads the connections over them.
        package static let sharedPort = ListenOptions(rawValue: 1)
        /// The address need not be on this machine yet (IP_FREEBIND).
        package static let addressMayComeLater = ListenOptions(rawValue: 2)
    }

    package static func listen(
        on address: SocketAddress, options: ListenOptions = [], backlog: Int32 = 4096
    ) throws(SystemError) -> FileDescriptor {
        let socket = try open(family: address.family)
        try set(socket.raw, SOL_SOCKET, SO_REUSEADDR, 1)
        if options.contains(.sharedPort) { try set(socket.raw, SOL_SOCKET, SO_REUSEPORT, 1) }
        if options.contains(.addressMayComeLater) { try set(socket.raw, Int32(IPPROTO_IP), IP_FREEBIND, 1) }
        if !address.ip.isIPv4 && !address.ip.isUnspecified {
            try set(socket.raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
        }
        guard address.withSockaddr({ bind(socket.raw, $0, $1) }) == 0 else {
            throw SystemError("bind", address.description)
        }
        guard Glibc.listen(socket.raw, backlog) == 0 else { throw SystemError("listen on", address.description) }
        return socket
    }

    /// Begins to connect. The socket becomes writable when the outcome is known; ask `pendingError` for it.
    package static func startConnecting(to address: SocketAddress) throws(SystemError) -> FileDescriptor {
        let socket = try open(family: address.family)
        setNoDelay(socket.raw)
        let result = address.withSockaddr { connect(socket.raw, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else { throw SystemError("connect to", address.description) }
        return socket
    }

    package static func localAddress(of descriptor: Int32) -> SocketAddress? {
        address { getsockname(descriptor, $0, $1) }
    }

    package static func peerAddress(of descriptor: Int32) -> SocketAddress? {
        address { getpeername(descriptor, $0, $1) }
    }

    private static func address(
        _ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask($0, &length) }
        }
        return result == 0 ? SocketAddress(storage) : nil
    }

    /// Takes one waiting connection, nil when there is none; `peer` then says who it is from.
    package static func accept(
        from listener: Int32, peer: inout SocketAddress
    ) throws(SystemError) -> FileDescriptor? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let raw = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                retryingOnInterrupt { clinux_accept(listener, address, &length) }
            }
        }
        if raw < 0 {
            if errno == EAGAIN || errno == ECONNABORTED { return nil }
            throw SystemError("accept")
        }
        let socket = FileDescriptor(owning: raw)
        guard let address = SocketAddress(storage) else { return nil }
        peer = address
        return socket
    }

    package static func isListening(_ descriptor: Int32) -> Bool {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0
    }

    /// The outcome of a connect, or another error that waits on the socket; 0 for none.
    package static func pendingError(_ descriptor: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : errno
    }

    /// Whether the peer's kernel has everything that was sent.
    package static func isAllAcknowledged(_ descriptor: Int32) -> Bool {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(TIOCOUTQ), &count) != 0 || count == 0
    }

    package static func setNoDelay(_ descriptor: Int32) {
        try? set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Bounds what the kernel keeps of a connection beyond what its peer lets it send (TCP_NOTSENT_LOWAT). Otherwise that is up
    /// to 4 MB, and a few hundred slow readers use up what all connections of a machine share (tcp_mem).
    package static func limitUnsent(_ descriptor: Int32) {
        try? set(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, 128 << 10)
    }

    /// Lets the close send RST, which frees everything at once and leaves no TIME_WAIT.
    package static func resetWhenClosed(_ descriptor: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    package enum Buffer {
        case sending, receiving
    }

    /// Makes a buffer of the kernel larger: beyond the system's limits where this process may do that, else up to them.
    package static func enlarge(
        _ descriptor: Int32, _ buffer: Buffer, toHold bytes: Int
    ) throws(SystemError) {
        let (forced, ordinary) =
            switch buffer {
            case .sending: (SO_SNDBUFFORCE, SO_SNDBUF)
            case .receiving: (SO_RCVBUFFORCE, SO_RCVBUF)
            }
        do throws(SystemError) { try set(descriptor, SOL_SOCKET, forced, Int32(bytes)) } catch {
            try set(descriptor, SOL_SOCKET, ordinary, Int32(bytes))
        }
    }

    /// Sends RST and ends the connection at once, whoever else has a descriptor of it (connect(2), AF_UNSPEC).
    package static func abort(_ descriptor: Int32) {
        var nowhere = sockaddr(sa_family: sa_family_t(AF_UNSPEC), sa_data: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        _ = connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    /// The socket may use addresses that are not this machine's (ip(7), IP_TRANSPARENT; needs CAP_NET_ADMIN).
    package static func setTransparent(_ descriptor: Int32, isIPv4: Bool) throws(SystemError) {
        if isIPv4 {
            try set(descriptor, Int32(IPPROTO_IP), IP_TRANSPARENT, 1)
        } else {
            try set(descriptor, Int32(IPPROTO_IPV6), IPV6_TRANSPARENT, 1)
        }
    }

    package static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(SystemError) {
        var value = value
        guard setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw SystemError("setsockopt", "\(level)/\(option)")
        }
    }

    /// The kernel shows each packet to the program before the socket gets it (linux/filter.h, classic BPF).
    package static func attachFilter(_ descriptor: Int32, _ program: [sock_filter]) throws(SystemError) {
        var program = program
        let count = UInt16(program.count)
        let result = program.withUnsafeMutableBufferPointer { program in
            var filter = sock_fprog(len: count, filter: program.baseAddress)
            return setsockopt(
                descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, socklen_t(MemoryLayout<sock_fprog>.size))
        }
        guard result == 0 else { throw SystemError("filter what a socket gets") }
    }

    /// By a filter that lets nothing through.
    static func ignoreArrivals(_ descriptor: Int32) throws(SystemError) {
        try attachFilter(descriptor, [sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: 0)])
    }

    static func open(family: Int32) throws(SystemError) -> FileDescriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let raw = socket(family, type, 0)
        guard raw >= 0 else { throw SystemError("socket") }
        return FileDescriptor(owning: raw)
    }
}
