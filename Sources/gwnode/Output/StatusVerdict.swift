import Gateway

/// How the cluster is, judged by its status.
package struct StatusVerdict: Hashable, Sendable {
    package var code: ExitCode
    /// What is not as it should be, most important first.
    package var complaints: [String]

    package init(_ status: StatusDocument) {
        var complaints: [String] = []
        if !status.quorum { complaints.append("no quorum: nothing can be changed, and no virtual address is held") }
        complaints += status.nodes.filter { !$0.alive }.map { "\($0.name) is unreachable" }
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
        code = !status.quorum ? .noQuorum : complaints.isEmpty ? .success : .failure
    }

    package var line: String {
        complaints.isEmpty ? "healthy" : complaints.joined(separator: "; ")
    }
}
