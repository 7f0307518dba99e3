import Posix
import Raft

/// Members as the operator wants them. What needs the present membership of Raft to be judged is judged by the node
/// that proposes (`MemberDirectory.objection`); here only what all nodes know alike.
extension ClusterState {
    mutating func apply(_ change: MemberChange) -> Outcome {
        switch change.wish {
        case .add(let record, let votes): add(record, as: votes ? .voter : .learner, change)
        case .promote(let node): promote(node, change)
        case .remove(let node): remove(node, change)
        case .drain(let node): drain(node, change)
        case .undrain(let node): undrain(node, change)
        }
    }

    private mutating func add(_ record: MemberRecord, as aim: MemberAim, _ change: MemberChange) -> Outcome {
        if let refusal = conflict(of: record) { return .refused(.member(refusal)) }
        if members.count == Limit.members { return .refused(.tooMany(what: "members", limit: Limit.members)) }
        members[record.id] = record
        aims[record.id] = aim
        journal.append(.memberAdded(record.id, name: record.name, author: change.author), at: change.at)
        return .applied
    }

    private func conflict(of record: MemberRecord) -> MemberRefusal? {
        if aims[record.id] == .removed { return .removedBefore(record.id) }
        if members[record.id] != nil { return .alreadyMember(record.id) }
        for other in members.values.sorted(by: { $0.id < $1.id }) {
            if other.name == record.name { return .taken(what: "the name \(record.name)", by: other.id) }
            if other.raft == record.raft { return .taken(what: "the address \(record.raft)", by: other.id) }
        }
        return nil
    }

    private mutating func promote(_ node: NodeID, _ change: MemberChange) -> Outcome {
        switch aims[node] {
        case .removed: return .refused(.member(.removedBefore(node)))
        case .voter: return .unchanged
        case .learner, nil: break
        }
        guard members[node] != nil else { return .refused(.member(.notMember(node))) }
        aims[node] = .voter
        journal.append(.memberPromoted(node, author: change.author), at: change.at)
        return .applied
    }

    /// A node that never described itself can be removed too: it may be a founding member that never ran.
    private mutating func remove(_ node: NodeID, _ change: MemberChange) -> Outcome {
        if aims[node] == .removed { return .unchanged }
        if aims.values.count(where: { $0 == .removed }) == Limit.removedMembers {
            return .refused(.tooMany(what: "removed members", limit: Limit.removedMembers))
        }
        aims[node] = .removed
        drained.remove(node)
        journal.append(.memberRemoved(node, author: change.author), at: change.at)
        return .applied
    }

    private mutating func drain(_ node: NodeID, _ change: MemberChange) -> Outcome {
        if aims[node] == .removed { return .refused(.member(.removedBefore(node))) }
        if drained.contains(node) { return .unchanged }
        if drained.count == Limit.members { return .refused(.tooMany(what: "drained members", limit: Limit.members)) }
        drained.insert(node)
        journal.append(.memberDrained(node, author: change.author), at: change.at)
        return .applied
    }

    private mutating func undrain(_ node: NodeID, _ change: MemberChange) -> Outcome {
        guard drained.remove(node) != nil else { return .unchanged }
        journal.append(.memberUndrained(node, author: change.author), at: change.at)
        return .applied
    }

    /// Drops what is kept of removed nodes that Raft no longer counts as members.
    mutating func forgetMembers(_ nodes: [NodeID], at time: WallTime) -> Outcome {
        let gone = nodes.filter { aims[$0] == .removed }
        let reported = forgetReports(of: gone, at: time)
        let known = gone.filter { members.removeValue(forKey: $0) != nil }
        return known.isEmpty ? reported : .applied
    }
}
