import Posix
import Synchronization

/// What all workers of this node know of one backend in common. Lives outside the immutable routing tables, so
/// that counts and ejections go on when the configuration or a health verdict changes.
package struct BackendCounters: ~Copyable, Sendable {
    /// Requests that this node has under way at the backend, tunnels included.
    package let activeRequests = Atomic<Int>(0)
    package let requests = Atomic<Int>(0)
    /// Exchanges that failed before the first byte of a reply: connect refused, reset, timed out.
    package let failures = Atomic<Int>(0)
    private let ejectedUntilNanoseconds = Atomic<UInt64>(0)

    init() {}

    /// Keeps new requests away from the backend until `instant`, as long as its upstream has another one.
    package borrowing func eject(until instant: Instant) {
        ejectedUntilNanoseconds.store(instant.nanoseconds, ordering: .relaxed)
        failures.add(1, ordering: .relaxed)
    }

    /// Ends an ejection: an active check has seen the backend answer.
    package borrowing func readmit() { ejectedUntilNanoseconds.store(0, ordering: .relaxed) }

    @inline(__always)
    package borrowing func isEjected(at now: Instant) -> Bool {
        ejectedUntilNanoseconds.load(ordering: .relaxed) > now.nanoseconds
    }
}

/// The counters of one backend, kept as long as a routing table or a request in flight refers to them.
package final class BackendRuntime: Sendable {
    package let counters: BackendCountersReference
    /// The last passive failure and when it was, for `status`; written rarely.
    private let lastFailure = Mutex<(reason: PassiveFailure, at: WallTime)?>(nil)

    init() {
        let pointer = UnsafeMutablePointer<BackendCounters>.allocate(capacity: 1)
        pointer.initialize(to: BackendCounters())
        counters = BackendCountersReference(pointer: pointer)
    }

    deinit {
        counters.pointer.deinitialize(count: 1)
        counters.pointer.deallocate()
    }

    package func note(_ reason: PassiveFailure, at time: WallTime) { lastFailure.withLock { $0 = (reason, time) } }

    package var latestFailure: (reason: PassiveFailure, at: WallTime)? { lastFailure.withLock { $0 } }
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
    case closedBeforeReply
    case responseTimedOut
    case invalidResponse

    package var description: String {
        switch self {
        case .connectRefused: "connect refused"
        case .connectTimedOut: "connect timed out"
        case .connectFailed(let code): "connect failed: \(SystemError.message(for: code))"
        case .closedBeforeReply: "closed the connection before a reply"
        case .responseTimedOut: "no response in time"
        case .invalidResponse: "invalid response"
        }
    }
}
