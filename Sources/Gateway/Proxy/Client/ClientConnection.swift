import Posix

/// A client's connection with the exchange that is under way on it.
struct ClientConnection {
    enum State {
        /// A proxy is about to say whose connection this is.
        case introducing
        /// The exchange decides.
        case open
        /// The exchange is over; the last bytes are on their way to the kernel.
        case closing
        /// FIN was sent; what the client still sends is read and dropped, so that no RST overtakes the response.
        case lingering
        /// Closed; the slot waits for the engine to let go of it.
        case closed
    }

    /// What the connection's deadline is for.
    enum Timer {
        case none, introduction, requestHead, keepAlive, requestBody, backoff, queue, hedge, write, linger, tunnel
    }

    /// Whether the next attempt draws on the upstream's budget for retries.
    enum RetryCost {
        /// No backend can have seen the request.
        case none
        case due, paid
    }

    /// What the guard has of the connection.
    struct Custody {
        enum Rest {
            /// A request began since it was last looked at, or it never was.
            case unknown
            case seenOnce
            /// At rest, and of no use to the guard.
            case ownAlone
            /// At rest, and the guard knows.
            case guarded
        }

        /// Of the descriptor that it was given, 0 for none.
        var generation: UInt64 = 0
        /// Which guard it was that has it, or has no use for it.
        var guardNumber: UInt64 = 0
        var rest = Rest.unknown

        func isSettled(with guardNumber: UInt64) -> Bool {
            switch rest {
            case .unknown, .seenOnce: false
            case .ownAlone, .guarded: self.guardNumber == guardNumber
            }
        }
    }

    /// The request waits for room at its upstream.
    struct Wait {
        /// Of the upstream's `WaitingLine`; 0 while it does not wait.
        var ticket: UInt64 = 0
        /// It may try again before those who still wait.
        var isCalled = false
    }

    /// The attempt at a second backend while the first one has not answered.
    struct Second {
        var race = Hedge()
        /// It is counted by its upstream's gate.
        var hasRoom = false
        /// Of the attempt, -1 while there is none.
        var backendIndex: Int32 = -1
        var upstream = Slot.none
        var attemptedAt = Instant.zero
    }

    /// What to do once the pending send is with the kernel.
    struct AfterSend: OptionSet {
        let rawValue: UInt8
        static let receiveFromUpstream = AfterSend(rawValue: 1 << 0)
        static let nextRequest = AfterSend(rawValue: 1 << 1)
    }

    /// Who is at the other end, or whoever a proxy there has named.
    var peer: SocketAddress
    let listener: ListenerID
    /// Its connection is secured.
    var isSecure = false
    /// Of the listener's terms when it connected.
    var redirectPort: UInt16 = 0
    /// Another node could go on with it: it is neither secured nor introduced.
    var isPortable = true
    /// On whose behalf the present request was sent: the peer's, unless that is a trusted proxy.
    var address: IPAddress
    /// Counted as a connection of the peer's address, or, while a request of a trusted proxy is under way, of
    /// `address`.
    var isPeerCounted = false
    var isAddressCounted = false
    var state = State.open
    var timer = Timer.keepAlive
    var afterSend: AfterSend = []
    var exchange = Exchange()
    var parse = ParseProgress()
    var requestMethod = HTTPMethod.get
    /// Accepted while its address retires: it has one request.
    var isLate = false
    /// Somebody waits for the end of its request.
    var isAwaited = false
    /// The client sent FIN.
    var hasEnded = false
    /// Everything of the request body was taken from the engine.
    var isBodyRead = true
    /// The response's last chunk is on its way.
    var isReplyEnded = false
    /// The next attempt must not take a connection from the pool: one from there was dead.
    var needsFreshConnection = false
    var body = BodyDecoder(.none)
    var upstream = Slot.none
    /// Where the request is routed to, within the targets of `table`; -1 for nowhere.
    var target: Int32 = -1
    /// The backend of the present attempt, -1 between attempts.
    var backendIndex: Int32 = -1
    /// The backend that the request's cookie names, -1 for none.
    var stickyBackend: Int32 = -1
    var tried = TriedBackends()
    var attempts = 0
    /// When the present attempt, or the last one, began.
    var attemptedAt = Instant.zero
    var retryCost = RetryCost.none
    var wait = Wait()
    var second = Second()
    /// It is counted by its upstream's gate.
    var hasRoom = false
    /// By when the present request has to be over in all.
    var deadline = Instant.distantFuture
    /// Nil between requests.
    var table: UnsafeMutablePointer<AdoptedTable>?
    /// The request as it is sent, for as long as it may have to be sent again.
    var kept = HeldBytes.none
    /// What a pending send still had to do when its deadline was set.
    var unsentAtCheck = 0
    /// Bytes of the request body since the deadline for it was set.
    var bodyBytesSinceCheck = 0
    /// When the present request's head was read.
    var startedAt = Instant.zero
    var shared = SharedPosition()
    /// Of the present request's final response, 0 before it.
    var status: UInt16 = 0
    /// Bytes received and sent since the request before ended.
    var receivedBytes: UInt64 = 0
    var sentBytes: UInt64 = 0
    /// The request, for the access log; nil between requests, and when nothing is logged.
    var logEntry: UnsafeMutablePointer<AccessLogEntry>?
    /// Bytes of the request body without its framing, counted for chunked ones.
    var bodyBytes: UInt64 = 0
    var custody = Custody()
    /// Bytes read and dropped while lingering.
    var lingered = 0

    init(peer: SocketAddress, listener: ListenerID) {
        self.peer = peer
        self.listener = listener
        address = peer.ip
    }

    /// It is not about to end.
    var isServed: Bool {
        switch state {
        case .introducing, .open: true
        case .closing, .lingering, .closed: false
        }
    }

    /// The upstream that the request is routed to.
    @inline(__always)
    var route: UnsafePointer<UpstreamTable>? {
        guard let table, target >= 0 else { return nil }
        return table.pointee.targets.baseAddress! + Int(target)
    }

    /// The backend of the present attempt.
    @inline(__always)
    var backend: UnsafePointer<BackendSlot>? {
        guard let route, backendIndex >= 0 else { return nil }
        return route.pointee.backends.baseAddress! + Int(backendIndex)
    }
}
