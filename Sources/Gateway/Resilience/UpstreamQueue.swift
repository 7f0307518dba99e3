/// Requests that wait at one node for room at an upstream.
package struct UpstreamQueue: Hashable, Sendable {
    package var upstream: String
    /// At least one.
    package var waiting: Int
    /// Because as many are under way as `LoadLimits.requests` says; else because each backend has as many as it may.
    package var isUpstreamFull: Bool

    package init(upstream: String, waiting: Int, isUpstreamFull: Bool) {
        self.upstream = upstream
        self.waiting = waiting
        self.isUpstreamFull = isUpstreamFull
    }

    /// The option that makes them wait, with its value.
    func limit(of limits: LoadLimits) -> String {
        if isUpstreamFull, let limit = limits.requests { return "limits.requests (\(limit))" }
        if let limit = limits.requestsPerBackend { return "limits.requestsPerBackend (\(limit))" }
        // Those that wait may be from before a change of the limits.
        return "limits.requests"
    }
}

extension RuntimeRegistry {
    /// Nil while nothing waits.
    package func queue(of upstream: Upstream) -> UpstreamQueue? {
        guard let gate = gate(of: upstream.name), gate.pointee.waiting > 0 else { return nil }
        return UpstreamQueue(
            upstream: upstream.name, waiting: gate.pointee.waiting,
            isUpstreamFull: !gate.pointee.hasRoom(upstream.limits))
    }
}
