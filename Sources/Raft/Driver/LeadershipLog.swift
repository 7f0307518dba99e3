import Posix

/// Says in the log who leads, whenever that changes.
struct LeadershipLog {
    private var leader: NodeID?
    private var term = Term.zero

    mutating func note(_ status: Status) {
        guard status.leader != leader || (status.leader != nil && status.term != term) else { return }
        if let next = status.leader {
            Log.info(
                "raft: \(next == status.id ? "this node leads" : "node \(next) leads") term \(status.term)",
                [.event("leader-elected"), .node(next.number), .term(status.term.number)])
        } else if let last = leader {
            Log.info(
                "raft: no leader is known any more; node \(last) led term \(term)",
                [.event("leader-lost"), .node(last.number), .term(term.number)])
        }
        leader = status.leader
        term = status.term
    }
}
