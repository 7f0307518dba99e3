import CLinux
import Glibc
import Posix
import TLS

/// One open socket to another node, whichever end dialled.
final class Connection {
    enum Purpose: Hashable {
        /// This node dialled: Raft's messages go out here, only the answer to the greeting comes in.
        case dialed(NodeID, Message.Lane)
        /// The other end dialled and has not greeted yet.
        case unknown
        /// The other end dialled and was welcomed.
        case accepted(NodeID, Message.Lane)
    }

    enum Phase: Hashable {
        case connecting
        /// The handshake of TLS.
        case securing
        case greeting
        case open
    }

    let token: UInt64
    let address: SocketAddress
    var purpose: Purpose
    var phase: Phase
    /// Until then the greeting has to be over; nil once it is.
    var deadline: Instant?
    var parser = FrameParser()
    private(set) var output: SendQueue
    /// Nil where nothing is secured.
    private let session: TLSSession?
    /// Whether the poller waits for room to send.
    var awaitsRoom = false
    private let socket: FileDescriptor

    /// Bytes read at one time from one connection, so that no peer keeps the others waiting.
    private static let controlReadLimit = 256 << 10
    private static let bulkReadLimit = 1 << 20

    init(
        _ socket: consuming FileDescriptor, token: UInt64, address: SocketAddress, purpose: Purpose,
        phase: Phase, deadline: Instant, queueLimit: Int, session: TLSSession? = nil
    ) {
        self.socket = socket
        self.token = token
        self.address = address
        self.purpose = purpose
        self.phase = phase
        self.deadline = deadline
        self.session = session
        output = SendQueue(limit: queueLimit)
    }

    var descriptor: Int32 { socket.raw }

    var lane: Message.Lane {
        switch purpose {
        case .dialed(_, let lane), .accepted(_, let lane): lane
        case .unknown: .control
        }
    }

    var isDialed: Bool {
        switch purpose {
        case .dialed: true
        case .unknown, .accepted: false
        }
    }

    func isWith(_ node: NodeID) -> Bool {
        switch purpose {
        case .dialed(let peer, _), .accepted(let peer, _): peer == node
        case .unknown: false
        }
    }

    enum ReadResult: Equatable {
        case open
        case closed
        case failed(SystemError)
        case insecure(TLSFailure)
    }

    var isSecured: Bool { session != nil }

    /// The handshake is over, or there is none.
    var mayGreet: Bool { session?.state != .handshake }

    /// Whether the certificate of the other end is that node's; true where nothing is secured.
    func isCertified(as name: NodeName) -> Bool { session.map { $0.peerURIs.contains(name.uri) } ?? true }

    /// For whom the certificate of the other end is.
    var certifiedFor: String { session?.peerURIs.joined(separator: ", ") ?? "" }

    /// Queues a frame, whole or not at all: false when it does not fit.
    @discardableResult
    func queue(_ frame: FrameBody) -> Bool {
        let bytes = frame.encoded()
        guard let session else {
            guard output.hasRoom(for: bytes.count) else { return false }
            output.append(bytes)
            return true
        }
        guard mayGreet, output.hasRoom(for: TLSSession.wireBytes(of: bytes.count)) else { return false }
        do throws(TLSFailure) { try session.send(bytes) } catch { return false }
        takeSecured()
        return true
    }

    /// Sets the handshake going, if there is one.
    func secure() throws(TLSFailure) {
        try session?.begin()
        takeSecured()
    }

    /// Sends what the socket takes now.
    func flush() throws(SystemError) { try output.flush(into: descriptor) }

    /// Says why the connection is about to be closed, as far as that can be said.
    func sayLast(_ frame: FrameBody) {
        if mayGreet { queue(frame) }
        try? flush()
    }

    /// Says it to an end that does not speak TLS.
    func sayLastInPlain(_ frame: FrameBody) {
        output = SendQueue(limit: frame.encoded().count)
        output.append(frame.encoded())
        try? flush()
    }

    private func takeSecured() { session?.takeOutput { output.append($0) } }

    /// Takes what has arrived, up to a limit, into the parser. `scratch` is the caller's buffer.
    func read(using scratch: UnsafeMutableRawBufferPointer) -> ReadResult {
        var rest = lane == .bulk ? Self.bulkReadLimit : Self.controlReadLimit
        while rest > 0 {
            let count = retryingOnInterrupt { recv(descriptor, scratch.baseAddress!, scratch.count, 0) }
            if count == 0 { return .closed }
            if count < 0 { return errno == EAGAIN ? .open : .failed(SystemError("receive")) }
            let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<count])
            do throws(TLSFailure) { try takeIn(bytes) } catch { return .insecure(error) }
            if session?.state == .closed { return .closed }
            rest -= count
            if count < scratch.count { return .open }
        }
        return .open
    }

    private func takeIn(_ bytes: UnsafeRawBufferPointer) throws(TLSFailure) {
        guard let session else { return parser.append(bytes) }
        // An alert says why, also when this throws.
        defer { takeSecured() }
        try session.receive(bytes) { parser.append($0) }
    }

    /// The kernel gives the connection up when sent bytes stay unacknowledged for this long.
    func setUserTimeout(_ limit: Nanoseconds) {
        try? Socket.set(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(limit.count / 1_000_000))
    }
}
