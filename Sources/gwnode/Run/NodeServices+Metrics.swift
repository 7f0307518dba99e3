import Gateway
import Posix
import Raft

extension NodeServices {
    /// What this node can be measured by now. Asks no other node, so it answers without a quorum too.
    func metrics() -> NodeMetrics {
        let view = view.current
        return NodeMetrics(
            name: node.node.name, version: gwnodeVersion, status: sources(of: view, isStale: true), raft: view?.raft,
            proxy: statistics(), upstreams: serving.upstreamMeasures, backends: serving.backendCounts(at: .now()),
            syncs: raft.times.syncs.snapshot, roundTrips: raft.times.roundTrips,
            process: .current(startedAt: startedAt))
    }
}
