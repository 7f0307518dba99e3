import Glibc
import Posix

/// How long a backend takes to answer: an exponentially weighted moving average that a slow answer raises at once and
/// fast ones lower slowly, as in Finagle's "peak EWMA". What is not renewed loses weight, so that a backend that was slow
/// is tried again.
package struct PeakEWMA: Hashable, Sendable {
    /// In which an observation loses all but 37 % of its weight.
    package static let decay = Nanoseconds.seconds(10)

    /// At `observedAt`.
    package var nanoseconds: Double
    /// Zero before the first observation.
    package var observedAt: Instant

    package init(nanoseconds: Double = 0, observedAt: Instant = .zero) {
        self.nanoseconds = nanoseconds
        self.observedAt = observedAt
    }

    package mutating func observe(_ latency: Nanoseconds, at now: Instant) {
        let latest = Double(latency.count)
        let weight = PeakEWMA.weight(after: now - observedAt)
        nanoseconds = latest >= nanoseconds ? latest : nanoseconds * weight + latest * (1 - weight)
        observedAt = now
    }

    /// What one more request would wait for, with `active` ones under way: in nanoseconds, to be compared. A backend
    /// that has not answered yet gets one request, and is then avoided until it answers.
    package func cost(active: Int, at now: Instant) -> Double {
        guard observedAt != .zero else { return active <= 0 ? 0 : PeakEWMA.unknown * Double(active) }
        return nanoseconds * PeakEWMA.weight(after: now - observedAt) * Double(max(0, active) + 1)
    }

    /// An hour.
    private static let unknown = 3.6e12

    private static func weight(after time: Nanoseconds) -> Double {
        exp(-Double(time.count) / Double(decay.count))
    }
}
