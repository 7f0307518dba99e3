import Posix

/// Paces resignations: while resigning does not help, because no node can hold the addresses, the cluster shall still
/// have a leader for its other work.
package struct Resignations: Hashable, Sendable {
    /// The least time between two resignations. It doubles up to `longestPause`, and begins anew after twice that.
    package static let shortestPause = Nanoseconds.seconds(1)
    package static let longestPause = Nanoseconds.seconds(5)

    private var last: Instant?
    private var pause = shortestPause

    package init() {}

    /// When the next one is due at the earliest.
    package var next: Instant { last.map { $0 + pause } ?? .zero }

    package mutating func record(at now: Instant) {
        let wasCalm = last.map { now - $0 >= Self.longestPause * 2 } ?? true
        pause = wasCalm ? Self.shortestPause : min(pause * 2, Self.longestPause)
        last = now
    }
}
