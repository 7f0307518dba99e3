import Posix
import Synchronization
import TLS

/// What all workers of this node know of one backend in common. Lives outside the immutable routing tables, so
/// that counts and ejections go on when the configuration or a health verdict changes.
package struct BackendCounters: ~Copyable, Sendable {
    /// Requests that this node has under way at the backend, tunnels included.
    package let activeRequests = Atomic<Int>(0)
    package let requests = Atomic<Int>(0)
    /// Requests that got no response, none in time, an invalid one, or one that says that the backend failed.
    package let failures = Atomic<Int>(0)
    /// Failures since the last request that did not fail.
    package let failuresInARow = Atomic<Int>(0)
    package let ejections = Atomic<Int>(0)
    private let avoidedUntil = Atomic<UInt64>(0)
    private let ejectedUntil = Atomic<UInt64>(0)
    /// When health checks or an operator let it take requests again; zero when it did from the beginning.
    private let usableSince = Atomic<UInt64>(0)
    /// A `PeakEWMA`. Workers may overwrite each other's observations; the next ones make up for that.
    private let latencyBits = Atomic<UInt64>(0)
    private let latencyAt = Atomic<UInt64>(0)

    init() {}

    borrowing func noteUsable(since instant: Instant) { usableSince.store(instant.nanoseconds, ordering: .relaxed) }

    /// When it last began to take requests, after an ejection or otherwise.
    @inline(__always)
    package borrowing func cameBack() -> Instant {
        let (usable, ejected) = (usableSince.load(ordering: .relaxed), ejectedUntil.load(ordering: .relaxed))
        return Instant(nanoseconds: max(usable, ejected))
    }

    package borrowing func latency() -> PeakEWMA {
        PeakEWMA(
            nanoseconds: Double(bitPattern: latencyBits.load(ordering: .relaxed)),
            observedAt: Instant(nanoseconds: latencyAt.load(ordering: .relaxed)))
    }

    package borrowing func observe(_ latency: Nanoseconds, at now: Instant) {
        var average = self.latency()
        average.observe(latency, at: now)
        latencyBits.store(average.nanoseconds.bitPattern, ordering: .relaxed)
        latencyAt.store(average.observedAt.nanoseconds, ordering: .relaxed)
    }

    /// Counts a failed request. Returns how many there now are in a row.
    package borrowing func countFailure() -> Int {
        failures.add(1, ordering: .relaxed)
        return failuresInARow.add(1, ordering: .relaxed).newValue
    }

    /// A request did not fail. Most find nothing to do, and write to no memory that workers share.
    @inline(__always)
    package borrowing func noteSuccess() {
        if failuresInARow.load(ordering: .relaxed) != 0 { failuresInARow.store(0, ordering: .relaxed) }
    }

    /// Keeps new requests away from a backend that can not be reached until `instant`, as long as its upstream has
    /// another one.
    package borrowing func avoid(until instant: Instant) {
        avoidedUntil.store(instant.nanoseconds, ordering: .relaxed)
    }

    /// An active check has seen the backend answer: it can be reached. That it answers requests well is not shown.
    package borrowing func readmit() { avoidedUntil.store(0, ordering: .relaxed) }

    /// The same for a backend that answers badly, whatever the active checks say.
    package borrowing func eject(until instant: Instant) {
        ejectedUntil.store(instant.nanoseconds, ordering: .relaxed)
        failuresInARow.store(0, ordering: .relaxed)
        ejections.add(1, ordering: .relaxed)
    }

    @inline(__always)
    package borrowing func isPassedOver(at now: Instant) -> Bool {
        avoidedUntil.load(ordering: .relaxed) > now.nanoseconds
            || ejectedUntil.load(ordering: .relaxed) > now.nanoseconds
    }

    /// When an ejection ends or ended.
    package borrowing func ejectionEnd() -> Instant { Instant(nanoseconds: ejectedUntil.load(ordering: .relaxed)) }
}

/// The counters of one backend, kept as long as a routing table or a request in flight refers to them.
package final class BackendRuntime: Sendable {
    package let counters: BackendCountersReference
    /// For `status`; written rarely.
    private let lastFailure = Mutex<PassiveFailure?>(nil)
    private let lastEjection = Mutex<EjectionCause?>(nil)
    /// In the newest routing table.
    private let isUsable = Mutex(false)

    init() {
        let pointer = UnsafeMutablePointer<BackendCounters>.allocate(capacity: 1)
        pointer.initialize(to: BackendCounters())
        counters = BackendCountersReference(pointer: pointer)
    }

    deinit {
        counters.pointer.deinitialize(count: 1)
        counters.pointer.deallocate()
    }

    /// A new routing table has it take requests, or not.
    func noteUsable(_ isUsable: Bool, since now: Instant) {
        let begins = self.isUsable.withLock { known in
            defer { known = isUsable }
            return isUsable && !known
        }
        if begins { counters.pointee.noteUsable(since: now) }
    }

    /// Keeps requests away from the backend for a moment.
    package func avoid(until instant: Instant, because reason: PassiveFailure) {
        lastFailure.withLock { $0 = reason }
        counters.pointee.avoid(until: instant)
    }

    package func eject(until instant: Instant, because cause: EjectionCause) {
        lastEjection.withLock { $0 = cause }
        counters.pointee.eject(until: instant)
    }

    /// Why new requests are kept away from it now; nil when they are not.
    package func avoidance(at now: Instant) -> BackendAvoidance? {
        let end = counters.pointee.ejectionEnd()
        if end > now, let cause = lastEjection.withLock({ $0 }) { return .ejected(cause, remaining: end - now) }
        guard counters.pointee.isPassedOver(at: now) else { return nil }
        return lastFailure.withLock { $0 }.map { .suspected($0) }
    }
}

/// Why a node sends no new requests to a backend that its upstream calls healthy.
package enum BackendAvoidance: Hashable, Sendable, CustomStringConvertible {
    /// It could not be reached just now.
    case suspected(PassiveFailure)
    /// It answered badly.
    case ejected(EjectionCause, remaining: Nanoseconds)

    package var description: String {
        switch self {
        case .suspected(let failure): "avoided for a moment: \(failure)"
        case .ejected(let cause, let remaining):
            "ejected: \(cause), back in \(Int(remaining.seconds.rounded(.up))) s"
        }
    }
}

/// An unretained way to counters which the owner of the `BackendRuntime` keeps alive.
package struct BackendCountersReference: @unchecked Sendable {
    fileprivate let pointer: UnsafeMutablePointer<BackendCounters>

    @inline(__always)
    package var pointee: BackendCounters {
        _read { yield pointer.pointee }
    }
}

/// How traffic itself showed that a backend is not well.
package enum PassiveFailure: Sendable, Hashable, CustomStringConvertible {
    case connectRefused
    case connectTimedOut
    case connectFailed(errno: Int32)
    /// It accepts connections, but none that can be trusted.
    case notSecured(ServerFault)
    case closedBeforeReply
    case responseTimedOut
    case invalidResponse
    /// A response that says that the backend failed.
    case status(UInt16)

    package var description: String {
        switch self {
        case .connectRefused: "connect refused"
        case .connectTimedOut: "connect timed out"
        case .connectFailed(let code): "connect failed: \(SystemError.message(for: code))"
        case .notSecured(let fault): fault.description
        case .closedBeforeReply: "closed the connection before a reply"
        case .responseTimedOut: "no response in time"
        case .invalidResponse: "invalid response"
        case .status(let status): "status \(status)"
        }
    }
}
