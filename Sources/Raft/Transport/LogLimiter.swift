import Posix

/// Lets one line a subject through in a while, so that a peer that tries again for ever does not fill the log.
struct LogLimiter {
    private static let interval = Nanoseconds.seconds(10)
    private static let subjects = 256
    private var last: [String: Instant] = [:]

    mutating func warn(_ subject: String, at now: Instant, _ message: @autoclosure () -> String) {
        if let before = last[subject], now < before + Self.interval { return }
        if last.count >= Self.subjects { last = last.filter { now < $0.value + Self.interval } }
        if last.count >= Self.subjects { return }
        last[subject] = now
        Log.warning(message())
    }
}
