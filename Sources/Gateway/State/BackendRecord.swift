import Posix
import Raft

/// What the cluster knows of one backend.
package struct BackendRecord: Hashable, Sendable {
    package internal(set) var mode = BackendMode.enabled
    /// At most one of each node, sorted by node; a node without a verdict has none.
    package internal(set) var reports: [HealthReport] = []

    package init() {}

    /// Down when more than half of the reporting nodes say so, with the reason of the first of them; up when anyone
    /// reports at all and it is not down; else unknown.
    package var agreedVerdict: HealthVerdict {
        let down = reports.filter { $0.verdict.status == .down }
        if let first = down.first, down.count * 2 > reports.count { return first.verdict }
        return reports.first { $0.verdict.status == .up }?.verdict ?? .unknown
    }

    /// The verdict that `node` reported last; nil when it reported none.
    package func verdict(of node: NodeID) -> HealthVerdict? { reports.first { $0.node == node }?.verdict }
}

/// One node's own verdict on a backend, up or down.
package struct HealthReport: Hashable, Sendable {
    package var node: NodeID
    package var verdict: HealthVerdict
    /// When the node came to this verdict.
    package var since: WallTime

    package init(node: NodeID, verdict: HealthVerdict, since: WallTime) {
        self.node = node
        self.verdict = verdict
        self.since = since
    }
}
