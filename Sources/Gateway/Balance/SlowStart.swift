import Posix

/// How a backend that came back gets more and more of its requests, so that cold caches and compilers are not met by all
/// of them at once.
package enum SlowStart {
    /// Of its share it gets a tenth at first.
    private static let firstPercent = 10

    /// Whether a backend that came back `elapsed` ago takes a request that would be its turn. By chance, and so with
    /// every algorithm; with one that draws from the client's own number always the same clients are first.
    package static func takes(
        after elapsed: Nanoseconds, of length: Nanoseconds, _ random: inout RandomSource
    ) -> Bool {
        if elapsed >= length { return true }
        let share = max(UInt64(firstPercent), elapsed.count * 100 / length.count)
        return random.below(100) < share
    }
}
