import Raft

/// The next thing that a leader does to bring Raft's membership to what the operator wants.
///
/// Members are added before any is removed, and the leader itself goes last, after it has handed leadership over, so
/// that removing it costs no more than a planned move.
package enum MembershipStep: Hashable, Sendable {
    case change(MembershipChange)
    /// The leader is to be removed or is drained: another voter has to lead.
    case handOver(to: NodeID)
    /// These were removed; what is kept of them can go.
    case forget([NodeID])

    /// nil when all is as wanted, or what is missing has to wait for a change under way. Raft itself refuses to give
    /// a vote to a learner that trails; that step is to be tried again. `able` are the nodes that answer.
    package static func next(for state: ClusterState, leader raft: Status, able: Set<NodeID>) -> MembershipStep? {
        if let step = relief(of: raft, state, able) { return step }
        let membership = raft.membership
        guard raft.role == .leader, !membership.isJoint, membership == raft.committedMembership else { return nil }
        func wanted(_ aim: MemberAim) -> [NodeID] { state.aims.filter { $0.value == aim }.keys.sorted() }
        if let node = wanted(.voter).first(where: { !membership.contains($0) }) { return .change(.addVoter(node)) }
        if let node = wanted(.learner).first(where: { !membership.contains($0) }) { return .change(.addLearner(node)) }
        let leaving = wanted(.removed).filter(membership.contains)
        if let step = removal(of: leaving, drained: state.drained, membership, raft) { return step }
        let gone = wanted(.removed).filter { !membership.contains($0) && state.keepsTraces(of: $0) }
        if !gone.isEmpty { return .forget(Array(gone.prefix(Command.Limit.nodes))) }
        // Last, because Raft may refuse it for as long as the learner is down.
        return wanted(.voter).first(where: membership.learners.contains).map { .change(.promote($0)) }
    }

    /// A drained leader hands over to any voter that answers and is not drained, but to none that would have to hand
    /// on in turn.
    private static func relief(of raft: Status, _ state: ClusterState, _ able: Set<NodeID>) -> MembershipStep? {
        guard raft.role == .leader, state.drained.contains(raft.id) else { return nil }
        let heirs = raft.peers.filter { peer in
            able.contains(peer.id) && raft.membership.voters.contains(peer.id) && !state.drained.contains(peer.id)
                && state.aims[peer.id] != .removed
        }
        return closest(heirs).map { .handOver(to: $0.id) }
    }

    private static func closest(_ peers: [PeerStatus]) -> PeerStatus? {
        peers.max { ($0.matched, $1.id) < ($1.matched, $0.id) }
    }

    private static func removal(
        of leaving: [NodeID], drained: Set<NodeID>, _ membership: Membership, _ raft: Status
    ) -> MembershipStep? {
        let isLastVoter = { (node: NodeID) in membership.voters == [node] }
        if let node = leaving.first(where: { $0 != raft.id && !isLastVoter($0) }) { return .change(.remove(node)) }
        guard leaving.contains(raft.id) else { return nil }
        let heirs = raft.peers.filter { membership.voters.contains($0.id) && !leaving.contains($0.id) }
        let willing = heirs.filter { !drained.contains($0.id) }
        return closest(willing.isEmpty ? heirs : willing).map { .handOver(to: $0.id) }
    }
}

extension ClusterState {
    fileprivate func keepsTraces(of node: NodeID) -> Bool {
        members[node] != nil || backends.values.contains { $0.verdict(of: node) != nil }
    }
}
