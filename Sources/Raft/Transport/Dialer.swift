import Posix

/// One lane to one peer, as the end that dials sees it: pure state, without sockets.
struct Dialer: Hashable {
    enum State: Hashable {
        case waiting(until: Instant)
        case resolving
        /// A connection is being made or greeted.
        case dialing(token: UInt64)
        case open(token: UInt64)
    }

    static let shortestPause = Nanoseconds.milliseconds(10)
    static let longestPause = Nanoseconds.milliseconds(200)
    /// After the other end said why it will not have us.
    static let pauseAfterRefusal = Nanoseconds.seconds(1)

    private(set) var state = State.waiting(until: .zero)
    private var pause = shortestPause
    /// The first attempt after an open connection was lost: being refused now proves that the process is gone.
    private(set) var isProbing = false

    mutating func resolve() { state = .resolving }

    mutating func dial(token: UInt64) { state = .dialing(token: token) }

    mutating func opened(token: UInt64) {
        state = .open(token: token)
        pause = Self.shortestPause
        isProbing = false
    }

    /// The connection was lost. From an open one a new attempt starts at once.
    mutating func lost(at now: Instant) {
        switch state {
        case .open:
            isProbing = true
            state = .waiting(until: now)
        case .waiting, .resolving, .dialing:
            isProbing = false
            state = .waiting(until: now + pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    mutating func refused(at now: Instant) {
        isProbing = false
        state = .waiting(until: now + Self.pauseAfterRefusal)
    }

    /// When to dial; `distantFuture` while something is under way or open.
    var nextAttempt: Instant {
        switch state {
        case .waiting(let until): until
        case .resolving, .dialing, .open: .distantFuture
        }
    }

    var openToken: UInt64? {
        guard case .open(let token) = state else { return nil }
        return token
    }
}
