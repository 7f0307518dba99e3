import Posix

/// Lets something that anybody outside can cause be logged, at a bounded rate.
struct LogPace {
    private static let pause = Nanoseconds.seconds(10)

    private var nextLine = Instant.zero
    private var untold = 0

    /// How many went untold since the last line, or nil when this one is to be added to them.
    mutating func next(at now: Instant) -> Int? {
        guard now >= nextLine else {
            untold += 1
            return nil
        }
        defer { untold = 0 }
        nextLine = now + Self.pause
        return untold
    }
}
