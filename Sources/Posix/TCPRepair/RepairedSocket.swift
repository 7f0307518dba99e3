import CLinux
import Glibc

/// A TCP socket under repair (TCP_REPAIR, needs CAP_NET_ADMIN): the kernel sends nothing for it by itself, and closing it
/// tells the peer nothing.
///
/// The order of the calls is that of the kernel's own rules (net/ipv4/tcp.c): addresses and sequence numbers before the
/// connect, options and queues after it, windows last.
package final class RepairedSocket {
    private enum Queue: Int32 {
        // TCP_RECV_QUEUE and TCP_SEND_QUEUE.
        case receive = 1
        case send = 2
    }

    private static let established: UInt8 = 1

    package let image: TCPConnectionImage
    private var descriptor: FileDescriptor?
    /// What a restored connection had not sent; under repair it would count as sent.
    private let unsent: ArraySlice<UInt8>

    /// Why this process can not repair sockets; nil if it can.
    package static func obstacle() -> SystemError? {
        do throws(SystemError) {
            let probe = try Socket.open(family: AF_INET)
            try Socket.set(probe.raw, Int32(IPPROTO_TCP), TCP_REPAIR, TCP_REPAIR_ON)
            try Socket.setTransparent(probe.raw, isIPv4: true)
            return nil
        } catch {
            return error
        }
    }

    /// Takes a connection out of this kernel's hands. Nothing more must arrive for it: what is acknowledged after this is
    /// lost. Fails, and closes it silently, when it is not established both ways.
    package init(capturing descriptor: consuming FileDescriptor) throws(SystemError) {
        let raw = descriptor.raw
        try Socket.set(raw, Int32(IPPROTO_TCP), TCP_REPAIR, TCP_REPAIR_ON)
        let information = try Self.information(raw)
        guard information.tcpi_state == Self.established else { throw SystemError("move a connection", code: ENOTCONN) }
        guard let local = Socket.localAddress(of: raw), let peer = Socket.peerAddress(of: raw) else {
            throw SystemError("move a connection")
        }
        let options = try Self.options(raw, information)
        let windows = try Self.get(raw, TCP_REPAIR_WINDOW, tcp_repair_window())
        let (received, unread) = try Self.contents(of: .receive, raw, count: Self.count(raw, UInt(FIONREAD)))
        let outstanding = try Self.count(raw, UInt(TIOCOUTQ))
        let (written, unacknowledged) = try Self.contents(of: .send, raw, count: outstanding)
        image = TCPConnectionImage(
            local: local, peer: peer, options: options,
            windows: .init(
                sendWL1: windows.snd_wl1, send: windows.snd_wnd, largest: windows.max_window, receive: windows.rcv_wnd,
                receiveUpdatedAt: windows.rcv_wup),
            sendSequence: written &- UInt32(unacknowledged.count), unacknowledged: unacknowledged,
            unsentCount: min(try Self.count(raw, UInt(SIOCOUTQNSD)), unacknowledged.count),
            receiveSequence: received &- UInt32(unread.count), unread: unread)
        unsent = []
        self.descriptor = consume descriptor
    }

    /// Makes the connection here. Its address need not be this machine's yet. Before `resume` nothing is sent, and what
    /// arrives is dropped, for the connection is not whole.
    package init(restoring image: TCPConnectionImage) throws(SystemError) {
        let socket = try Socket.open(family: image.local.family)
        let raw = socket.raw
        try Socket.set(raw, Int32(IPPROTO_TCP), TCP_REPAIR, TCP_REPAIR_ON)
        try Socket.setTransparent(raw, isIPv4: image.local.ip.isIPv4)
        guard image.local.withSockaddr({ bind(raw, $0, $1) }) == 0 else {
            throw SystemError("bind", image.local.description)
        }
        try Socket.ignoreArrivals(raw)
        try Self.setSequence(image.receiveSequence, of: .receive, raw)
        try Self.setSequence(image.sendSequence, of: .send, raw)
        try Self.limitSegments(raw, to: image.options.maximumSegmentSize)
        guard image.peer.withSockaddr({ connect(raw, $0, $1) }) == 0 else {
            throw SystemError("restore the connection from", image.peer.description)
        }
        try Self.set(image.options, raw)
        try Self.fill(.receive, raw, with: image.unread[...])
        try Self.fill(.send, raw, with: image.unacknowledged.dropLast(image.unsentCount))
        let windows = tcp_repair_window(
            snd_wl1: image.windows.sendWL1, snd_wnd: image.windows.send, max_window: image.windows.largest,
            rcv_wnd: image.windows.receive, rcv_wup: image.windows.receiveUpdatedAt)
        try Self.set(raw, TCP_REPAIR_WINDOW, windows)
        self.image = image
        unsent = image.unacknowledged.suffix(image.unsentCount)
        descriptor = consume socket
    }

    /// The connection goes on, here. Where the peer has not acknowledged everything, it is asked at once what it has.
    /// To be called once.
    package func resume() throws(SystemError) -> FileDescriptor {
        guard let socket = descriptor.take() else { preconditionFailure("resumed twice") }
        let raw = socket.raw
        try Self.heedArrivals(raw)
        let mode = image.unacknowledged.isEmpty ? TCP_REPAIR_OFF_NO_WP : TCP_REPAIR_OFF
        try Self.endRepair(raw, mode)
        Socket.setNoDelay(raw)
        try Self.write(unsent, raw)
        Socket.limitUnsent(raw)
        return socket
    }

    /// The connection ends here, for all who have a descriptor of it, and the peer is told nothing.
    package func forsake() {
        guard let socket = descriptor.take() else { return }
        Self.forsake(socket.raw)
    }

    /// What the kernel tells of a connection only under repair.
    package struct Position: Hashable, Sendable {
        /// The next sequence numbers.
        package var send: UInt32
        package var receive: UInt32
        /// Of its clock for time stamps.
        package var timestamp: UInt32
        package var maximumSegmentSize: UInt32
    }

    /// Of a connection that goes on in this kernel. To be asked only while nothing is to be sent.
    package static func position(of raw: Int32) throws(SystemError) -> Position {
        try Socket.set(raw, Int32(IPPROTO_TCP), TCP_REPAIR, TCP_REPAIR_ON)
        defer { try? endRepair(raw, TCP_REPAIR_OFF_NO_WP) }
        return Position(
            send: try sequence(of: .send, raw), receive: try sequence(of: .receive, raw),
            timestamp: try get(raw, TCP_TIMESTAMP, UInt32(0)),
            maximumSegmentSize: UInt32(clamping: try get(raw, TCP_MAXSEG, Int32(0))))
    }

    /// Ends a connection for all who have a descriptor of it, and tells the peer nothing.
    package static func forsake(_ raw: Int32) {
        try? Socket.set(raw, Int32(IPPROTO_TCP), TCP_REPAIR, TCP_REPAIR_ON)
        Socket.abort(raw)
    }

    /// The end of the repair takes away what lets other sockets listen on the port.
    private static func endRepair(_ raw: Int32, _ mode: Int32) throws(SystemError) {
        try Socket.set(raw, Int32(IPPROTO_TCP), TCP_REPAIR, mode)
        try Socket.set(raw, SOL_SOCKET, SO_REUSEADDR, 1)
        try Socket.set(raw, SOL_SOCKET, SO_REUSEPORT, 1)
    }

    // Taking out.

    private static func information(_ raw: Int32) throws(SystemError) -> tcp_info {
        var information = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        guard getsockopt(raw, Int32(IPPROTO_TCP), TCP_INFO, &information, &length) == 0 else {
            throw SystemError("move a connection")
        }
        return information
    }

    private static func options(_ raw: Int32, _ information: tcp_info) throws(SystemError) -> TCPConnectionImage.Options
    {
        func has(_ option: Int32) -> Bool { Int32(information.tcpi_options) & option != 0 }
        let scales = TCPConnectionImage.WindowScales(
            sending: information.tcpi_snd_wscale, receiving: information.tcpi_rcv_wscale)
        return TCPConnectionImage.Options(
            maximumSegmentSize: UInt32(clamping: try get(raw, TCP_MAXSEG, Int32(0))),
            windowScales: has(TCPI_OPT_WSCALE) ? scales : nil,
            hasSelectiveAcknowledgements: has(TCPI_OPT_SACK),
            timestamp: has(TCPI_OPT_TIMESTAMPS) ? try get(raw, TCP_TIMESTAMP, UInt32(0)) : nil)
    }

    /// The sequence number behind the queue, and its bytes.
    private static func contents(
        of queue: Queue, _ raw: Int32, count: Int
    ) throws(SystemError) -> (UInt32, [UInt8]) {
        let sequence = try sequence(of: queue, raw)
        guard count <= TCPConnectionImage.queueLimit else { throw SystemError("move a connection", code: EMSGSIZE) }
        if count == 0 { return (sequence, []) }
        var bytes = [UInt8](repeating: 0, count: count)
        let taken = retryingOnInterrupt { recv(raw, &bytes, count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) }
        guard taken == count else { throw SystemError("move a connection", code: taken < 0 ? errno : EMSGSIZE) }
        return (sequence, bytes)
    }

    private static func sequence(of queue: Queue, _ raw: Int32) throws(SystemError) -> UInt32 {
        try Socket.set(raw, Int32(IPPROTO_TCP), TCP_REPAIR_QUEUE, queue.rawValue)
        return try get(raw, TCP_QUEUE_SEQ, UInt32(0))
    }

    private static func count(_ raw: Int32, _ request: UInt) throws(SystemError) -> Int {
        var count: Int32 = 0
        guard ioctl(raw, request, &count) == 0 else { throw SystemError("move a connection") }
        return Int(count)
    }

    // Putting in.

    private static func heedArrivals(_ raw: Int32) throws(SystemError) {
        do throws(SystemError) { try Socket.set(raw, SOL_SOCKET, SO_DETACH_FILTER, 0) } catch {
            // One that was taken out of this kernel has none.
            if error.code != ENOENT { throw error }
        }
    }

    private static func setSequence(_ sequence: UInt32, of queue: Queue, _ raw: Int32) throws(SystemError) {
        try Socket.set(raw, Int32(IPPROTO_TCP), TCP_REPAIR_QUEUE, queue.rawValue)
        try set(raw, TCP_QUEUE_SEQ, sequence)
    }

    /// The connect sizes segments by this. What the repair says of them later is noted and not used until the path changes,
    /// and they would have the 536 bytes of who says nothing (RFC 9293, section 3.7.1).
    private static func limitSegments(_ raw: Int32, to bytes: UInt32) throws(SystemError) {
        let accepted: ClosedRange<UInt32> = 88...32767
        try Socket.set(
            raw, Int32(IPPROTO_TCP), TCP_MAXSEG, Int32(min(max(bytes, accepted.lowerBound), accepted.upperBound)))
    }

    private static func set(_ options: TCPConnectionImage.Options, _ raw: Int32) throws(SystemError) {
        // Where nothing was agreed that has to be said, too: the connect chose a scale to offer, and would use it.
        let scales = options.windowScales ?? TCPConnectionImage.WindowScales(sending: 0, receiving: 0)
        var list = [
            tcp_repair_opt(opt_code: UInt32(TCPOPT_MAXSEG), opt_val: options.maximumSegmentSize),
            tcp_repair_opt(
                opt_code: UInt32(TCPOPT_WINDOW), opt_val: UInt32(scales.sending) | UInt32(scales.receiving) << 16),
        ]
        if options.hasSelectiveAcknowledgements {
            list.append(tcp_repair_opt(opt_code: UInt32(TCPOPT_SACK_PERMITTED), opt_val: 0))
        }
        if let timestamp = options.timestamp {
            list.append(tcp_repair_opt(opt_code: UInt32(TCPOPT_TIMESTAMP), opt_val: 0))
            try set(raw, TCP_TIMESTAMP, timestamp)
        }
        let result = list.withUnsafeBytes {
            setsockopt(raw, Int32(IPPROTO_TCP), TCP_REPAIR_OPTIONS, $0.baseAddress!, socklen_t($0.count))
        }
        guard result == 0 else { throw SystemError("restore a connection's options") }
    }

    private static func fill(_ queue: Queue, _ raw: Int32, with bytes: ArraySlice<UInt8>) throws(SystemError) {
        try Socket.set(raw, Int32(IPPROTO_TCP), TCP_REPAIR_QUEUE, queue.rawValue)
        try write(bytes, raw)
    }

    /// All or nothing: the socket's buffers are enlarged where they have to be.
    private static func write(_ bytes: ArraySlice<UInt8>, _ raw: Int32) throws(SystemError) {
        let piece = 32 << 10
        if bytes.count > piece {
            try Socket.enlarge(raw, .sending, toHold: 2 * bytes.count)
            try Socket.enlarge(raw, .receiving, toHold: 2 * bytes.count)
        }
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { bytes in
                retryingOnInterrupt {
                    Glibc.send(raw, bytes.baseAddress!, min(bytes.count, piece), Int32(MSG_NOSIGNAL))
                }
            }
            guard count > 0 else { throw SystemError("restore a connection's bytes") }
            rest = rest.dropFirst(count)
        }
    }

    private static func get<Value: BitwiseCopyable>(
        _ raw: Int32, _ option: Int32, _ initial: Value
    ) throws(SystemError) -> Value {
        var value = initial
        var length = socklen_t(MemoryLayout<Value>.size)
        guard getsockopt(raw, Int32(IPPROTO_TCP), option, &value, &length) == 0 else {
            throw SystemError("getsockopt", "TCP/\(option)")
        }
        return value
    }

    private static func set<Value: BitwiseCopyable>(
        _ raw: Int32, _ option: Int32, _ value: Value
    ) throws(SystemError) {
        var value = value
        guard setsockopt(raw, Int32(IPPROTO_TCP), option, &value, socklen_t(MemoryLayout<Value>.size)) == 0 else {
            throw SystemError("setsockopt", "TCP/\(option)")
        }
    }
}
