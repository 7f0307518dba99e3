import Gateway
import Posix
import Raft
import Synchronization

/// What this node serves at the moment: the configuration as parsed, what it knows of the backends itself, and the
/// counters behind the routing tables. Shared by the control thread, which changes it, and the admin API.
final class Serving: Sendable {
    struct State: ~Copyable {
        var configuration: GatewayConfiguration?
        /// What backends are reached with.
        var securities = BackendSecurities.none
        /// What is wrong with the files of this node, for the operator.
        var problems: [String] = []
        /// Of this node's own checks.
        var verdicts: [BackendKey: HealthVerdict] = [:]
        var registry: RuntimeRegistry
        var generation: UInt64 = 0
        /// Of the newest table.
        var availability = BackendAvailability()
    }

    private let state: Mutex<State>

    /// What moves the bytes; not `auto`.
    let engine: EngineChoice

    /// `firstStep` is where this node's round robin begins.
    init(firstStep: Int, workers: Int, engine: EngineChoice) {
        self.engine = engine
        state = Mutex(State(registry: RuntimeRegistry(firstStep: firstStep, workers: workers)))
    }

    func withState<Result: Sendable>(_ body: (inout State) -> Result) -> Result { state.withLock { body(&$0) } }

    var configuration: GatewayConfiguration? { state.withLock { $0.configuration } }

    /// What is wrong with the files of this node.
    var problems: [String] { state.withLock { $0.problems } }

    /// Requests under way at this node's backends, without the idle ones.
    var activeRequests: [BackendKey: Int] {
        state.withLock { state in
            var counts: [BackendKey: Int] = [:]
            for key in state.configuration?.backendKeys ?? [] {
                let count = state.registry.activeRequests(key)
                if count > 0 { counts[key] = count }
            }
            return counts
        }
    }

    /// A probe has seen the backend answer: what traffic had against it is over.
    func readmit(_ backend: BackendKey) {
        state.withLock { $0.registry.runtime(backend)?.counters.pointee.readmit() }
    }

    /// What this node itself sees of each backend.
    func localBackends(at now: Instant) -> [BackendKey: StatusSources.LocalBackend] {
        state.withLock { state in
            var backends: [BackendKey: StatusSources.LocalBackend] = [:]
            for key in state.configuration?.backendKeys ?? [] {
                backends[key] = StatusSources.LocalBackend(
                    verdict: state.verdicts[key] ?? .unknown, avoidance: state.registry.avoidance(key, at: now))
            }
            return backends
        }
    }

    /// Those that this node leaves alone because of how they answer.
    func ejectedBackends(at now: Instant) -> [BackendKey] {
        state.withLock { state in
            (state.configuration?.backendKeys ?? []).filter { key in
                state.registry.runtime(key).map { $0.counters.pointee.ejectionEnd() > now } ?? false
            }
        }
    }

    /// Requests that wait at this node, by upstream.
    var queues: [UpstreamQueue] {
        state.withLock { state in
            (state.configuration?.upstreams ?? []).compactMap { state.registry.queue(of: $0) }
        }
    }

    /// What this node has counted of each backend.
    func backendCounts(at now: Instant) -> [BackendKey: NodeMetrics.BackendCount] {
        state.withLock { state in
            var counts: [BackendKey: NodeMetrics.BackendCount] = [:]
            for key in state.configuration?.backendKeys ?? [] {
                guard let runtime = state.registry.runtime(key) else { continue }
                counts[key] = NodeMetrics.BackendCount(runtime, at: now)
            }
            return counts
        }
    }

    /// What this node has counted of each upstream, in the order of the configuration.
    var upstreamMeasures: [(name: String, measures: UpstreamMeasures)] {
        state.withLock { state in
            (state.configuration?.upstreams ?? []).compactMap { upstream in
                state.registry.measures(upstream: upstream.name).map { (upstream.name, $0) }
            }
        }
    }

    /// For workers that have nothing to serve yet.
    func emptyTable() -> RoutingTable {
        state.withLock { state in
            RoutingTable(
                GatewayConfiguration(listeners: [], routes: [], upstreams: []), generation: state.generation,
                registry: &state.registry, oldestAdopted: 0
            ) { _ in false }
        }
    }

    /// A new routing table, when the configuration or the set of usable backends is another than that of the newest
    /// one; otherwise nil.
    func nextTable(
        records: [BackendKey: BackendRecord], hasQuorum: Bool, configurationHasChanged: Bool, oldestAdopted: UInt64
    ) -> RoutingTable? {
        state.withLock { state -> RoutingTable? in
            guard let configuration = state.configuration else { return nil }
            let availability = BackendAvailability(
                configuration, records, own: state.verdicts, hasQuorum: hasQuorum)
            for change in availability.changes(since: state.availability) { Self.say(change.standing, change.backend) }
            let isSame = availability.usable == state.availability.usable
            state.availability = availability
            guard configurationHasChanged || !isSame else { return nil }
            state.generation += 1
            return RoutingTable(
                configuration, generation: state.generation, registry: &state.registry, oldestAdopted: oldestAdopted,
                securities: state.securities, isUsable: availability.usable.contains)
        }
    }

    private static func say(_ standing: BackendAvailability.Standing, _ backend: BackendKey) {
        let (upstream, address) = (LogField.upstream(backend.upstream), LogField.address("\(backend.address)"))
        switch standing {
        case .takesRequests:
            Log.info("health: \(backend) takes requests again", [.event("backend-recovered"), upstream, address])
        case .lastResort(let objection):
            Log.warning(
                "health: \(backend) is tried although it is \(objection); other nodes reach it, and there is no other",
                [.event("backend-doubtful"), upstream, address, .reason("\(objection)")])
        case .takesNone(let objection):
            Log.warning(
                "health: \(backend) gets no more requests: \(objection)",
                [.event("backend-lost"), upstream, address, .reason("\(objection)")])
        }
    }
}
