import Posix

/// Finds the backends of one upstream that answer worse than they should, and says how long each is to be left alone.
///
/// Local to a node: what it sees may be the fault of its own path, and an ejection ends by itself.
package struct OutlierDetector: Hashable, Sendable {
    /// What has been counted of a backend since it came.
    package struct Tally: Hashable, Sendable {
        /// `BackendSlot.runtimeID`.
        package var backend: UInt32
        package var requests: Int
        package var failures: Int

        package init(backend: UInt32, requests: Int, failures: Int) {
            self.backend = backend
            self.requests = requests
            self.failures = failures
        }
    }

    package struct Ejection: Hashable, Sendable {
        package var backend: UInt32
        package var cause: EjectionCause
        package var until: Instant
    }

    private struct Record: Hashable {
        /// Ejections in a row, less one for each `time` that it has served since.
        var ejections = 0
        var until = Instant.zero
        /// At the beginning of the interval.
        var tally: Tally?
    }

    private var records: [UInt32: Record] = [:]
    private var nextComparison: Instant?

    package init() {}

    /// A backend failed `count` requests in a row. `among`: how many backends there are.
    package mutating func failed(
        _ backend: UInt32, inARow count: Int, last: PassiveFailure, among backends: Int, _ policy: EjectionPolicy,
        at now: Instant
    ) -> Ejection? {
        guard policy.consecutiveFailures > 0, count >= policy.consecutiveFailures else { return nil }
        return eject(backend, .consecutiveFailures(count, last: last), among: backends, policy, now)
    }

    /// Whether it is time for `compare`.
    package func isComparisonDue(at now: Instant) -> Bool { nextComparison.map { $0 <= now } ?? true }

    /// Compares the backends over the interval that ends now, the worst first. The first call begins the first interval.
    package mutating func compare(_ tallies: [Tally], _ policy: EjectionPolicy, at now: Instant) -> [Ejection] {
        // What came in a time in which nothing failed is left out: it would hide what fails now.
        let isWhole = nextComparison.map { now - $0 < policy.interval } ?? false
        nextComparison = now + policy.interval
        let parts = tallies.map { tally -> Tally in
            let earlier = records[tally.backend]?.tally
            records[tally.backend, default: Record()].tally = tally
            return Tally(
                backend: tally.backend, requests: max(0, tally.requests - (earlier?.requests ?? tally.requests)),
                failures: max(0, tally.failures - (earlier?.failures ?? tally.failures)))
        }
        let known = Set(tallies.map(\.backend))
        records = records.filter { known.contains($0.key) }
        guard isWhole, policy.excessPercent > 0 else { return [] }
        let all = parts.reduce(into: (requests: 0, failures: 0)) { sum, part in
            sum.requests += part.requests
            sum.failures += part.failures
        }
        let worst = parts.sorted { $0.failurePercent > $1.failurePercent }
        return worst.compactMap { part in
            let others = Tally(
                backend: part.backend, requests: all.requests - part.requests, failures: all.failures - part.failures)
            guard part.requests >= policy.minimumRequests, others.requests >= policy.minimumRequests,
                part.failurePercent > others.failurePercent + policy.excessPercent
            else { return nil }
            let cause = EjectionCause.excess(
                percent: part.failurePercent, others: others.failurePercent, requests: part.requests)
            return eject(part.backend, cause, among: tallies.count, policy, now)
        }
    }

    private mutating func eject(
        _ backend: UInt32, _ cause: EjectionCause, among backends: Int, _ policy: EjectionPolicy, _ now: Instant
    ) -> Ejection? {
        var record = records[backend] ?? Record()
        let ejected = records.values.count { $0.until > now }
        guard record.until <= now, ejected < policy.mostEjected(of: backends) else { return nil }
        let served = (now - record.until).count / max(1, policy.time.count)
        record.ejections = max(0, record.ejections - Int(min(served, 1 << 20))) + 1
        record.until = now + min(policy.time * UInt64(record.ejections), policy.maximumTime)
        records[backend] = record
        return Ejection(backend: backend, cause: cause, until: record.until)
    }
}

extension OutlierDetector.Tally {
    fileprivate var failurePercent: Int { requests == 0 ? 0 : min(100, failures * 100 / requests) }
}
