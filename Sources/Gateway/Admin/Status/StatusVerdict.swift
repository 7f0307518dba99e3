/// How the cluster is, judged by its status.
package struct StatusVerdict: Hashable, Sendable {
    /// The raw value is the word in the API.
    package enum Condition: String, Codable, Hashable, Sendable, CaseIterable {
        case healthy
        case degraded
        case noQuorum = "no-quorum"
    }

    package var condition: Condition
    /// What is not as it should be, most important first.
    package var complaints: [String]

    package init(_ status: StatusDocument) {
        var complaints: [String] = []
        if !status.quorum { complaints.append("no quorum: nothing can be changed, and no virtual address is held") }
        complaints += status.nodes.filter { !$0.alive }.map { "\($0.name) is unreachable" }
        complaints += status.nodes.filter(\.alive).flatMap { node in node.problems.map { "\(node.name): \($0)" } }
        if status.quorum {
            if status.leader == nil { complaints.append("no leader is known") }
            let unheld = status.virtualAddresses.filter { $0.holder == nil }
            complaints += unheld.map { "virtual address \($0.address) is held by no node" }
        }
        for upstream in status.upstreams {
            let down = upstream.backends.filter { !$0.healthy && $0.mode != BackendMode.disabled.rawValue }
            complaints += down.map { "\(upstream.name) \($0.address) is down (\($0.reason))" }
        }
        self.complaints = complaints
        condition = !status.quorum ? .noQuorum : complaints.isEmpty ? .healthy : .degraded
    }

    package var line: String {
        complaints.isEmpty ? "healthy" : complaints.joined(separator: "; ")
    }
}

/// The answer of `GET /v1/health`.
package struct HealthDocument: Codable, Hashable, Sendable {
    package var condition: StatusVerdict.Condition
    package var complaints: [String]

    init(_ verdict: StatusVerdict) {
        condition = verdict.condition
        complaints = verdict.complaints
    }
}
