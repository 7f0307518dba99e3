import Posix

/// Lets something that anybody outside can cause be logged, at a bounded rate.
struct LogPace {
    private static let pause = Nanoseconds.seconds(10)

    private var nextLine = Instant.zero
    private var untold = 0

    /// What ends the line of this one: how many there were since the line before. Nil: it gets none.
    mutating func next(at now: Instant) -> String? {
        guard now >= nextLine else {
            untold += 1
            return nil
        }
        defer { untold = 0 }
        nextLine = now + Self.pause
        return untold == 0 ? "" : "; \(untold) others since the last such line"
    }
}
