import Posix
import Raft

/// Who belongs to the cluster, and where each node is reached, as one node knows it: from its node file, the
/// replicated state and Raft's membership.
///
/// The node file's addresses win over the replicated ones for the peers that it lists: an operator who moves a node
/// edits the files, and a moved node could not announce itself to nodes that look for it at its old address.
package struct MemberDirectory: Hashable, Sendable {
    package enum Standing: String, Codable, Hashable, Sendable, CaseIterable {
        case voter
        case learner
    }

    /// What is about to change for a member.
    package enum Transition: String, Codable, Hashable, Sendable, CaseIterable {
        /// Wanted, but no member yet, or a learner that will become a voter once it has caught up.
        case joining
        case leaving
    }

    package struct Entry: Hashable, Sendable {
        package var id: NodeID
        package var name: String
        /// Empty when nobody has said it yet.
        package var raft: String
        package var admin: String
        package var standing: Standing
        package var transition: Transition?
        package var isDrained: Bool
    }

    /// The members and those who are to become members, sorted by id.
    package let members: [Entry]
    /// Former members that are told so when they come back.
    package let removed: Set<NodeID>
    /// Everyone that this node has to find, itself included: the members, and its node file's peers until they are
    /// known to be removed.
    private let reachable: [NodeID: String]

    package init(node: NodeConfiguration, state: ClusterState, membership: Membership, committed: Membership) {
        let raftMembers = Set(membership.everyone).union(committed.everyone)
        let listed = Dictionary(node.peers.map { ($0.id, $0) }) { first, _ in first }
        let wanted = state.aims.filter { $0.value != .removed }.keys
        removed = Set(state.aims.filter { $0.value == .removed && !raftMembers.contains($0.key) }.keys)
        // A node that has yet to hear of the cluster knows no better than its file.
        let shown = raftMembers.isEmpty ? Set(listed.keys) : raftMembers.union(wanted)
        members = shown.sorted().map { id in
            let record = state.members[id]
            let standing: Standing =
                if raftMembers.isEmpty {
                    id == node.node.id ? .learner : .voter
                } else {
                    membership.isVoter(id) ? .voter : .learner
                }
            return Entry(
                id: id, name: listed[id]?.name ?? record?.name ?? "node-\(id)",
                raft: listed[id]?.raft.description ?? record?.raft ?? "",
                admin: listed[id]?.admin.description ?? record?.admin ?? "", standing: standing,
                transition: Self.transition(of: id, standing, aim: state.aims[id], isMember: raftMembers.contains(id)),
                isDrained: state.drained.contains(id))
        }
        var reachable = state.members.mapValues(\.raft)
        for peer in node.peers { reachable[peer.id] = peer.raft.description }
        for id in removed { reachable[id] = nil }
        self.reachable = reachable
    }

    private static func transition(
        of id: NodeID, _ standing: Standing, aim: MemberAim?, isMember: Bool
    ) -> Transition? {
        switch aim {
        case .removed: .leaving
        case .voter: standing == .voter ? nil : .joining
        case .learner: isMember ? nil : .joining
        case nil: nil
        }
    }

    package subscript(_ id: NodeID) -> Entry? { members.first { $0.id == id } }

    /// What Raft's transport has to know, without `own`.
    package func addressBook(without own: NodeID) -> [PeerAddress] {
        reachable.filter { $0.key != own && !$0.value.isEmpty }
            .map { PeerAddress(id: $0.key, address: $0.value) }.sorted { $0.id < $1.id }
    }

    /// Why a wish is not worth a proposal, as far as this node can tell: the replicated state, which decides, does
    /// not know Raft's membership. A wish that slips through waits, harmless, until it can be followed.
    package func objection(to wish: MemberChange.Wish) -> MemberRefusal? {
        let stayingVoters = members.filter { entry in
            entry.transition != .leaving && (entry.standing == .voter || entry.transition == .joining)
        }.map(\.id)
        switch wish {
        case .add(let record, let votes):
            if let member = self[record.id], member.transition != .leaving { return .alreadyMember(record.id) }
            let isFull = votes && stayingVoters.count >= NodeConfiguration.maximumPeers
            return isFull ? .tooManyVoters(limit: NodeConfiguration.maximumPeers) : nil
        case .promote(let node):
            guard let entry = self[node] else { return .notMember(node) }
            let isNew = entry.standing == .learner && entry.transition == nil
            let isFull = isNew && stayingVoters.count >= NodeConfiguration.maximumPeers
            return isFull ? .tooManyVoters(limit: NodeConfiguration.maximumPeers) : nil
        case .remove(let node):
            guard let entry = self[node] else { return .notMember(node) }
            let others = members.filter { $0.standing == .voter && $0.transition != .leaving && $0.id != node }
            return entry.standing == .voter && others.isEmpty ? .lastVoter(node) : nil
        case .drain(let node), .undrain(let node): return self[node] == nil ? .notMember(node) : nil
        }
    }

    /// Why `target` can not be made the leader; nil stands for any other voter.
    package func objection(toLeader target: NodeID?, leader: NodeID?, connected: Set<NodeID>) -> MemberRefusal? {
        let voters = members.filter { $0.standing == .voter && $0.transition != .leaving }.map(\.id)
        guard let target else { return voters.contains { $0 != leader } ? nil : .noOtherVoter }
        guard self[target] != nil else { return .notMember(target) }
        guard voters.contains(target) else { return .notVoter(target) }
        if self[target]?.isDrained == true { return .drained(target) }
        return connected.contains(target) ? nil : .unreachable(target)
    }
}
