import Posix

/// One lane to one peer, as the end that dials sees it: pure state, without sockets.
package struct Dialer: Hashable {
    package enum State: Hashable {
        case waiting(until: Instant)
        case resolving
        /// A connection is being made or greeted.
        case dialing(token: UInt64)
        case open(token: UInt64)
    }

    /// Short, for a dying process closes its connections a little before its listener, which is the proof.
    static let shortestPause = Nanoseconds.milliseconds(1)
    static let longestPause = Nanoseconds.milliseconds(200)
    /// After the other end said why it will not have us.
    static let pauseAfterRefusal = Nanoseconds.seconds(1)

    package private(set) var state = State.waiting(until: .zero)
    private var pause = shortestPause
    /// An open connection was lost and none has been opened since: being refused now proves that the process is gone.
    private var isProbing = false

    package init() {}

    package mutating func resolve() { state = .resolving }

    package mutating func dial(token: UInt64) { state = .dialing(token: token) }

    package mutating func opened(token: UInt64) {
        state = .open(token: token)
        pause = Self.shortestPause
        isProbing = false
    }

    /// The connection was lost. From an open one a new attempt starts at once.
    package mutating func lost(at now: Instant) {
        switch state {
        case .open:
            isProbing = true
            state = .waiting(until: now)
        case .waiting, .resolving, .dialing:
            state = .waiting(until: now + pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// Nobody listens there. True once after a connection was lost: then the process is gone.
    package mutating func foundNobody(at now: Instant) -> Bool {
        defer { isProbing = false }
        lost(at: now)
        return isProbing
    }

    /// The other end does not want us.
    package mutating func refused(at now: Instant) {
        isProbing = false
        state = .waiting(until: now + Self.pauseAfterRefusal)
    }

    /// When to dial; `distantFuture` while something is under way or open.
    package var nextAttempt: Instant {
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
