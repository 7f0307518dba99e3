import Posix
import Synchronization

/// The watchers of an admin server, and when they are told something next.
struct LiveStreams {
    /// By connection.
    var watchers: [UInt64: LiveSubscription] = [:]
    var feed = LiveFeed()
    var hasNews = false
    private var pausedUntil = Instant.zero

    /// When news have to be told.
    var nextRound: Instant { hasNews && !watchers.isEmpty ? pausedUntil : .distantFuture }

    /// Whether messages are to be made now.
    mutating func takeRound(at now: Instant) -> Bool {
        guard now >= nextRound else { return false }
        hasNews = false
        pausedUntil = now + AdminLimits.streamPause
        return true
    }
}

/// Keeps the news that wait in a mailbox down to one.
final class NewsFlag: Sendable {
    private let isSet = Atomic(false)

    /// True when it was not set before.
    func set() -> Bool { !isSet.exchange(true, ordering: .acquiringAndReleasing) }
    func clear() { isSet.store(false, ordering: .releasing) }
}
