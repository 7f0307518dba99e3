import CLinux
import Glibc
import Posix

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
    var output: SendQueue
    /// Whether the poller waits for room to send.
    var awaitsRoom = false
    private let socket: FileDescriptor

    /// Bytes read at one time from one connection, so that no peer keeps the others waiting.
    private static let controlReadLimit = 256 << 10
    private static let bulkReadLimit = 1 << 20

    init(
        _ socket: consuming FileDescriptor, token: UInt64, address: SocketAddress, purpose: Purpose,
        phase: Phase, deadline: Instant, queueLimit: Int
    ) {
        self.socket = socket
        self.token = token
        self.address = address
        self.purpose = purpose
        self.phase = phase
        self.deadline = deadline
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
    }

    /// Takes what has arrived, up to a limit, into the parser. `scratch` is the caller's buffer.
    func read(using scratch: UnsafeMutableRawBufferPointer) -> ReadResult {
        var rest = lane == .bulk ? Self.bulkReadLimit : Self.controlReadLimit
        while rest > 0 {
            let count = retryingOnInterrupt { recv(descriptor, scratch.baseAddress!, scratch.count, 0) }
            if count == 0 { return .closed }
            if count < 0 { return errno == EAGAIN ? .open : .failed(SystemError("receive")) }
            parser.append(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            rest -= count
            if count < scratch.count { return .open }
        }
        return .open
    }

    /// The kernel gives the connection up when sent bytes stay unacknowledged for this long.
    func setUserTimeout(_ limit: Nanoseconds) {
        try? Socket.set(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(limit.count / 1_000_000))
    }
}
