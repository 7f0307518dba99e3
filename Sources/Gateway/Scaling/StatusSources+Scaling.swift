import Posix

extension StatusSources {
    /// What all nodes that are alive see of an upstream, whose registered backends are among its backends.
    package func scalingLoad(of upstream: Upstream) -> ScalingLoad {
        var active = 0
        for alive in aliveReports {
            for (key, count) in alive.report.activeRequests where key.upstream == upstream.name { active += count }
        }
        var durations = LatencyHistogram()
        for member in directory.members {
            let sample = liveSample(of: member.id)?.upstreams.first { $0.name == upstream.name }
            if let sample { durations.add(sample.durations) }
        }
        let usable = upstream.backends.count { backend in
            let record = state.backends[BackendKey(upstream: upstream.name, address: backend.address)]
            return record?.mode ?? .enabled == .enabled && record?.agreedVerdict.status != .down
        }
        return ScalingLoad(activeRequests: active, latency: durations.quantile(0.9), backends: usable)
    }

    func scalingDocument(of upstream: Upstream) -> StatusDocument.Scaling? {
        guard let policy = upstream.scaling else { return nil }
        let record = state.scaling.entries[upstream.name]
        return StatusDocument.Scaling(
            minimum: policy.minimum, maximum: policy.maximum, desired: record?.desired, decision: record?.number,
            decidedAt: record?.at.description, hook: record?.hook?.text)
    }
}
