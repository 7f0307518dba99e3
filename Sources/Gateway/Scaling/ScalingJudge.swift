import Posix

/// What the cluster's nodes together see of one upstream.
package struct ScalingLoad: Hashable, Sendable {
    /// Requests under way.
    package var activeRequests: Int
    /// The time within which nine of ten responses came in the last second; nil when there were none.
    package var latency: Nanoseconds?
    /// Backends that take requests.
    package var backends: Int

    package init(activeRequests: Int, latency: Nanoseconds?, backends: Int) {
        self.activeRequests = activeRequests
        self.latency = latency
        self.backends = backends
    }
}

/// Decides how many backends one upstream asks for. Pure: it sees the load a few times a second and the clock.
///
/// Up when the load asked for more all the time for `rise`, and then for the least of it; down when it asked for fewer
/// all the time for `fall`, and then for the most of it. So neither a peak nor a gap shorter than those changes anything,
/// and a load that swings asks for what its peaks need. A judge that has just begun, at a new leader, has seen nothing
/// yet and takes its time anew.
package struct ScalingJudge: Hashable, Sendable {
    /// Around the target in which latency changes nothing.
    private static let tolerance = 0.1

    private let policy: ScalingPolicy
    private var least: SlidingExtreme
    private var most: SlidingExtreme
    private let begin: Instant
    private var lastChange: Instant
    private var known: Int?

    package init(_ policy: ScalingPolicy, desired: Int?, now: Instant) {
        self.policy = policy
        least = SlidingExtreme(span: policy.rise, isBetter: <)
        most = SlidingExtreme(span: policy.fall, isBetter: >)
        begin = now
        // Whoever led before may have decided a moment ago.
        lastChange = desired == nil ? .zero : now
        known = desired
    }

    /// - Parameter desired: what the cluster has agreed on; nil before the first decision.
    /// - Returns: another number to agree on, nil when all is well.
    package mutating func observe(_ load: ScalingLoad, desired: Int?, at now: Instant) -> Int? {
        if desired != known {
            known = desired
            lastChange = now
        }
        let present = desired ?? load.backends
        let wanted = wanted(for: load, present: present)
        least.add(wanted, at: now)
        most.add(wanted, at: now)
        guard lastChange == .zero || now - lastChange >= policy.pause else { return nil }
        if now - begin >= policy.rise, least.extreme > present { return least.extreme }
        if now - begin >= policy.fall, most.extreme < present { return most.extreme }
        return nil
    }

    /// What this load alone would ask for, within the bounds.
    private func wanted(for load: ScalingLoad, present: Int) -> Int {
        let wanted: Int
        switch policy.target {
        case .requests(let each): wanted = (load.activeRequests + each - 1) / each
        case .latency(let target): wanted = byLatency(load, target, present: present)
        }
        return min(max(wanted, policy.minimum), policy.maximum)
    }

    /// In proportion to what served the load, and not beyond twice of it at once: latency does not rise evenly.
    private func byLatency(_ load: ScalingLoad, _ target: Nanoseconds, present: Int) -> Int {
        guard let latency = load.latency else { return policy.minimum }
        let ratio = min(Double(latency.count) / Double(target.count), 2)
        if abs(ratio - 1) <= Self.tolerance { return present }
        return Int((Double(max(load.backends, 1)) * ratio).rounded(.up))
    }
}

/// The least or the greatest of the numbers of the last `span`. It keeps no more entries than there are different numbers.
struct SlidingExtreme: Hashable, Sendable {
    private struct Entry: Hashable {
        let at: Instant
        let value: Int
    }

    private let span: Nanoseconds
    private let sign: Int
    /// From the oldest, which is the extreme, to the newest; each is passed by none after it.
    private var entries: [Entry] = []

    init(span: Nanoseconds, isBetter: (Int, Int) -> Bool) {
        self.span = span
        sign = isBetter(1, 0) ? 1 : -1
    }

    mutating func add(_ value: Int, at now: Instant) {
        entries.removeAll { now - $0.at > span }
        while let last = entries.last, last.value * sign <= value * sign { entries.removeLast() }
        entries.append(Entry(at: now, value: value))
    }

    /// After the first `add`.
    var extreme: Int { entries[0].value }
}
