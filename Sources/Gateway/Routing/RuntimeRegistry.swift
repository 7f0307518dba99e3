import Posix
import Synchronization

/// Owns what outlives a routing table: what is counted of backends and of upstreams, by name.
///
/// Workers refer to both without retaining them. A runtime is let go only when no table names it any more, every
/// worker has adopted a later table, and no request is under way at it; a worker does not touch a backend's
/// counters after it has ended its last request there.
package struct RuntimeRegistry: ~Copyable {
    private struct Held<Runtime> {
        let runtime: Runtime
        let id: UInt32
        /// The newest table that names it.
        var generation: UInt64
    }

    private var backends: [BackendKey: Held<BackendRuntime>] = [:]
    private var upstreams: [String: Held<UpstreamRuntime>] = [:]
    private var freeIDs: [UInt32] = []
    private var nextID: UInt32 = 0
    private let firstStep: Int
    let workers: Int

    /// `firstStep` is where round robin begins; a different one on each node keeps the nodes from sending their
    /// first requests to the same backend. `workers` is how many will count.
    package init(firstStep: Int, workers: Int) {
        self.firstStep = firstStep
        self.workers = workers
    }

    mutating func backend(_ key: BackendKey, generation: UInt64) -> (BackendRuntime, UInt32) {
        if let held = backends[key] {
            backends[key]!.generation = generation
            return (held.runtime, held.id)
        }
        let id = freeIDs.popLast() ?? nextID
        if id == nextID { nextID += 1 }
        let runtime = BackendRuntime()
        backends[key] = Held(runtime: runtime, id: id, generation: generation)
        return (runtime, id)
    }

    mutating func upstream(_ name: String, generation: UInt64) -> UpstreamRuntime {
        if let held = upstreams[name] {
            upstreams[name]!.generation = generation
            return held.runtime
        }
        let runtime = UpstreamRuntime(firstStep: firstStep, workers: workers)
        upstreams[name] = Held(runtime: runtime, id: 0, generation: generation)
        return runtime
    }

    /// The runtime of a backend that some table names or named of late.
    package func runtime(_ key: BackendKey) -> BackendRuntime? { backends[key]?.runtime }

    /// What was counted of an upstream that some table names or named of late.
    package func measures(upstream: String) -> UpstreamMeasures? { upstreams[upstream]?.runtime.measures }

    func gate(of upstream: String) -> UnsafeMutablePointer<UpstreamGate>? { upstreams[upstream]?.runtime.gate }

    /// Requests that this node has under way at the backend.
    package func activeRequests(_ key: BackendKey) -> Int {
        runtime(key)?.counters.pointee.activeRequests.load(ordering: .relaxed) ?? 0
    }

    /// How traffic showed that the backend fails, while it is avoided for that.
    package func avoidance(_ key: BackendKey, at now: Instant) -> BackendAvoidance? {
        runtime(key)?.avoidance(at: now)
    }

    /// Lets go of what no table since `oldestAdopted` names and no request uses.
    mutating func sweep(oldestAdopted: UInt64) {
        for (key, held) in backends where held.generation < oldestAdopted {
            guard held.runtime.counters.pointee.activeRequests.load(ordering: .acquiring) == 0 else { continue }
            backends[key] = nil
            freeIDs.append(held.id)
        }
        for (name, held) in upstreams where held.generation < oldestAdopted { upstreams[name] = nil }
    }
}
