import Gateway
import Posix
import Synchronization

/// What this node did in the last second, and the cluster in the last minutes as far as this node knows. Written by
/// the control thread, read by any.
final class LiveBoard: Sendable {
    private struct State {
        var sampler = LiveSampler()
        var sample: LiveSample?
        /// Set until the others are told of `sample`.
        var isUntold = false
        var document: LiveDocument?
        var history: [LiveDocument.Point] = []
        var nextSample = Instant.zero
    }

    private static let interval = Nanoseconds.seconds(1)
    /// Five minutes.
    private static let historyPoints = 300
    private let state = Mutex(State())

    var sample: LiveSample? { state.withLock { $0.sample } }
    /// Nil before the first sample.
    var document: LiveDocument? { state.withLock { $0.document } }
    var history: [LiveDocument.Point] { state.withLock { $0.history } }
    var nextDeadline: Instant { state.withLock { $0.nextSample } }

    /// The newest sample, once.
    func takeSample() -> LiveSample? {
        state.withLock { state in
            defer { state.isUntold = false }
            return state.isUntold ? state.sample : nil
        }
    }

    /// Takes a sample when it is time. True when there is a new one.
    func update(_ proxy: ProxyStatistics, _ upstreams: [(name: String, measures: UpstreamMeasures)]) -> Bool {
        let now = Instant.now()
        return state.withLock { state in
            // Steady, unless the thread was held up.
            state.nextSample = max(state.nextSample, now - Self.interval) + Self.interval
            guard let sample = state.sampler.sample(proxy, upstreams, at: now) else { return false }
            state.sample = sample
            state.isUntold = true
            return true
        }
    }

    /// Keeps what the cluster does now.
    func note(_ document: LiveDocument) {
        state.withLock { state in
            state.document = document
            if state.history.count == Self.historyPoints { state.history.removeFirst() }
            state.history.append(document.point)
        }
    }
}
