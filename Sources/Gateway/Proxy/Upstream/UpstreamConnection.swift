import Posix

/// A connection to a backend: being opened, serving one client's exchange, or idle in the pool.
struct UpstreamConnection {
    enum State {
        case connecting, serving, idle
        /// Of a request that another connection serves, until one of both brings the answer.
        case connectingSecond, racing
        /// Closed; the slot waits for the engine to let go of it.
        case closed
    }

    /// What the connection's deadline is for.
    enum Timer {
        case none, connect, tryHead, responseHead, responseBody, splice, idle
    }

    let address: SocketAddress
    /// `BackendSlot.runtimeID`.
    let backendID: UInt32
    /// Of the `TLSClient` that secures it; nil: it is plain.
    let security: UnsafeMutableRawPointer?
    /// What it gave to be resumed is with the pool.
    var hasGivenSession = false
    var state = State.connecting
    var timer = Timer.none
    /// Came out of the pool for its present exchange, so it may have died unnoticed.
    var isReused = false
    /// A send failed. What the backend said before may still be read.
    var isSendBroken = false
    /// The present exchange has seen a byte of its response.
    var hasReplied = false
    var client = Slot.none
    var body = BodyDecoder(.none)
    var parse = ParseProgress()
    /// A response head, the first or one after an interim one, comes next.
    var awaitsHead = true
    /// Bytes handed to the kernel since the connection was opened, and before the present exchange.
    var sentBytes: UInt64 = 0
    var sentBytesBefore: UInt64 = 0
    /// What that is on the wire.
    var wireBytesBefore: UInt64 = 0
    /// Body bytes that the splice under way has to move, and had to when its deadline was set.
    var spliced: UInt64 = 0
    var unsplicedAtCheck: UInt64 = 0
    /// Neighbours in the list of idle connections.
    var newer = Slot.none
    var older = Slot.none

    init(to backend: BackendSlot) {
        address = backend.address
        backendID = backend.runtimeID
        security = backend.security?.toOpaque()
    }

    /// It is about to bring the response to a request.
    @inline(__always)
    mutating func beginExchange(_ next: State) {
        state = next
        timer = .none
        hasReplied = false
        awaitsHead = true
        sentBytesBefore = sentBytes
        parse = ParseProgress()
    }
}
