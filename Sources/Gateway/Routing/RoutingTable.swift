import Posix
import Synchronization
import TLS

/// What a worker needs to send a request on: routes, upstreams and the backends that take requests now.
///
/// Immutable. The control thread builds a new one when the configuration, an administrative mode or a health
/// verdict changes; each worker adopts it between two turns of its loop.
package final class RoutingTable: @unchecked Sendable {
    /// Rises with each table of this process.
    package let generation: UInt64
    package let upstreams: UnsafeBufferPointer<UpstreamTable>
    /// What routes lead to: the upstreams, and behind them their copies for routes with policies of their own.
    let targets: UnsafeBufferPointer<UpstreamTable>
    package let upstreamNames: [String]
    let clients: ClientTerms
    let tracing: TracingTerms
    /// One past the highest `BackendSlot.runtimeID` in use, for a worker's array of connection pools.
    package let runtimeIDBound: Int
    private let matcher: RouteMatcher
    /// Keeps alive what the slots and upstreams point to.
    private let runtimes: [BackendRuntime]
    private let upstreamRuntimes: [UpstreamRuntime]
    private let securing: [TLSClient]
    /// How many workers it has room for to count.
    let workers: Int

    /// - Parameters:
    ///   - oldestAdopted: the generation of the oldest table that a worker still uses.
    ///   - now: when backends that take requests again come back.
    ///   - securities: what upstreams with TLS are reached with; those without any are not.
    ///   - isUsable: whether a backend takes requests: its mode and its verdict together.
    package init(
        _ configuration: GatewayConfiguration, generation: UInt64, registry: inout RuntimeRegistry,
        oldestAdopted: UInt64, now: Instant = .now(), securities: BackendSecurities = .none,
        isUsable: (BackendKey) -> Bool
    ) {
        var runtimes: [BackendRuntime] = []
        var upstreamRuntimes: [UpstreamRuntime] = []
        var securing: [TLSClient] = []
        var bound = 0
        let tables = configuration.upstreams.enumerated().map { index, upstream in
            let isNew = registry.measures(upstream: upstream.name) == nil
            let upstreamRuntime = registry.upstream(upstream.name, generation: generation)
            upstreamRuntimes.append(upstreamRuntime)
            let security = securities.security(of: upstream)
            if let client = security.client { securing.append(client) }
            let slots = upstream.backends.map { backend -> BackendSlot in
                let key = BackendKey(upstream: upstream.name, address: backend.address)
                let (runtime, id) = registry.backend(key, generation: generation)
                runtimes.append(runtime)
                bound = max(bound, Int(id) + 1)
                // The first backends of an upstream have nothing to come back to.
                let isUsable = isUsable(key) && security.isUsable
                runtime.noteUsable(isUsable, since: isNew ? .zero : now)
                return BackendSlot(
                    address: backend.address, weight: Int32(backend.weight),
                    isUsable: isUsable, isBackup: backend.isBackup, counters: runtime.counters,
                    security: security.client.map(Unmanaged.passUnretained), runtimeID: id)
            }
            return UpstreamTable(upstream, index: Int32(index), backends: slots, runtime: upstreamRuntime)
        }
        registry.sweep(oldestAdopted: oldestAdopted)
        self.generation = generation
        self.runtimes = runtimes
        self.upstreamRuntimes = upstreamRuntimes
        self.securing = securing
        workers = registry.workers
        runtimeIDBound = bound
        upstreamNames = configuration.upstreams.map(\.name)
        let plan = TargetPlan(configuration)
        targets = copied(tables + plan.copies.map { tables[Int($0.upstream)].overridden(by: $0.policy) })
        upstreams = UnsafeBufferPointer(rebasing: targets[..<tables.count])
        clients = ClientTerms(configuration.clients)
        tracing = TracingTerms(configuration.tracing)
        matcher = RouteMatcher(
            zip(configuration.routes, plan.targets).map { route, target in
                RouteMatcher.Rule(host: route.host, prefix: route.path, target: target)
            })
    }

    deinit {
        for upstream in upstreams { upstream.deallocate() }
        targets.deallocate()
        clients.deallocate()
        tracing.deallocate()
    }

    /// What lasts of a backend, by its indices in `upstreams` and there. Not for the request path.
    func runtime(upstream: Int32, backend: Int32) -> BackendRuntime {
        let earlier = upstreams[..<Int(upstream)].reduce(0) { $0 + $1.backends.count }
        return runtimes[earlier + Int(backend)]
    }

    /// What lasts of an upstream, by its index in `upstreams`. Not for the request path.
    func runtime(upstream: Int32) -> UpstreamRuntime { upstreamRuntimes[Int(upstream)] }

    /// The index in `targets` for a request, nil when no route matches. `host` is without a port; `path` is
    /// normalised.
    @inline(__always)
    package func route(host: RawSpan, path: RawSpan) -> Int32? { matcher.target(host: host, path: path) }
}

extension UpstreamTable {
    fileprivate init(_ upstream: Upstream, index: Int32, backends: [BackendSlot], runtime: UpstreamRuntime) {
        // Round robin and random choose among the usable ones, so that their shares stay even when one is down.
        // Maglev's slots are laid out over all, so that a client comes back to its backend when that recovers.
        let usableWeights = backends.map { $0.isUsable && !$0.isBackup ? Int($0.weight) : 0 }
        var slots: [UInt16] = []
        var cumulative: [UInt32] = []
        switch upstream.algorithm {
        case .roundRobin, .weighted: slots = SmoothSchedule.period(weights: usableWeights)
        case .random:
            var sum: UInt32 = 0
            for weight in usableWeights {
                sum += UInt32(weight)
                cumulative.append(sum)
            }
        case .leastConnections, .leastRequestP2C, .peakEWMA: break
        case .ipHash:
            slots = MaglevTable.build(
                keys: backends.map { StableHash.hash($0.address) },
                weights: backends.map { $0.isBackup ? 0 : Int($0.weight) })
        }
        self.init(
            index: index, timeouts: upstream.timeouts, introduces: upstream.proxyProtocol, retries: upstream.retries,
            retry: upstream.retry,
            slowStart: upstream.slowStart,
            sticky: upstream.sticky.map { StickyTable($0, upstream: upstream.name, backends: backends) },
            ejection: upstream.ejection,
            limits: upstream.limits, roomPerBackend: upstream.limits.requestsPerBackend ?? .max, gate: runtime.gate,
            algorithm: upstream.algorithm,
            backends: copied(backends), slots: copied(slots), cumulativeWeights: copied(cumulative),
            cursor: runtime.cursor, cells: runtime.cells)
    }

    fileprivate func deallocate() {
        backends.deallocate()
        slots.deallocate()
        cumulativeWeights.deallocate()
        sticky?.deallocate()
    }
}
