import Posix
import Synchronization
import TLS

/// One upstream as the workers see it: its backends, which of them take requests, and how to choose. Routes with a policy
/// of their own have a copy that differs in that.
///
/// Plain memory behind unsafe pointers, owned by the `RoutingTable` that holds it: choosing costs no retain, no
/// exclusivity check and no allocation.
package struct UpstreamTable {
    /// Its place among the upstreams.
    let index: Int32
    package private(set) var timeouts: UpstreamTimeouts
    /// How backends are told whose connection it is; nil: they are not, and connections are shared.
    let introduces: ProxyHeaderVersion?
    /// Backends tried after the first.
    package private(set) var retries: Int
    private(set) var retry: RetryPolicy
    /// Zero: a backend that comes back gets its whole share at once.
    let slowStart: Nanoseconds
    let sticky: StickyTable?
    let ejection: EjectionPolicy
    let limits: LoadLimits
    /// Of `limits`; a very large number where there is none.
    let roomPerBackend: Int
    /// Shared by all workers; asked only where there are limits.
    let gate: UnsafeMutablePointer<UpstreamGate>
    package let algorithm: BalancingAlgorithm
    package let backends: UnsafeBufferPointer<BackendSlot>
    /// Round robin's period, or Maglev's slots; empty for the other algorithms.
    let slots: UnsafeBufferPointer<UInt16>
    /// Cumulative weights for `random`, otherwise empty.
    let cumulativeWeights: UnsafeBufferPointer<UInt32>
    /// Where round robin stands; shared by all workers and kept over configuration changes.
    let cursor: UnsafeMutablePointer<Atomic<Int>>
    /// The base for `UpstreamCells`.
    let cells: UnsafeMutablePointer<Atomic<UInt64>>

    func overridden(by route: RoutePolicy) -> UpstreamTable {
        var table = self
        table.timeouts = timeouts.overridden(by: route.timeouts)
        table.retries = route.retries ?? retries
        table.retry = retry.overridden(by: route.retry)
        return table
    }

    /// How many backends take requests at all.
    package var usableCount: Int { backends.reduce(0) { $0 + ($1.isUsable ? 1 : 0) } }

    /// Requests that this node has under way at the backends. Not for the request path.
    var activeRequests: Int { backends.reduce(0) { $0 + $1.counters.pointee.activeRequests.load(ordering: .relaxed) } }

    /// What was counted of the backends. Not for the request path.
    var tallies: [OutlierDetector.Tally] {
        backends.map { backend in
            OutlierDetector.Tally(
                backend: backend.runtimeID, requests: backend.counters.pointee.requests.load(ordering: .relaxed),
                failures: backend.counters.pointee.failures.load(ordering: .relaxed))
        }
    }
}

/// One backend within an `UpstreamTable`.
package struct BackendSlot {
    package let address: SocketAddress
    /// At least 1 when `isUsable`.
    package let weight: Int32
    /// Enabled by the operator and not down by its health checks.
    package let isUsable: Bool
    /// Takes requests only when no other one does.
    package let isBackup: Bool
    package let counters: BackendCountersReference
    /// How connections to it are secured; nil: they are plain. The routing table keeps it alive.
    package let security: Unmanaged<TLSClient>?
    /// Identifies the backend over table changes, for the upstream connection pool.
    package let runtimeID: UInt32
}
