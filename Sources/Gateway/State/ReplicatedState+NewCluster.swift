import Posix
import Raft

/// What changes in the state when an operator begins another incarnation of the cluster from it.
extension ReplicatedState {
    /// For a restore on `voters`: they are the founding members. Others are forgotten, and can join under their old ids,
    /// but for those that had been removed. Nobody leads or holds an address. The same voters give the same state.
    package mutating func beginAgain(with voters: [NodeID]) {
        let absent = Set(cluster.members.keys).union(cluster.aims.keys).subtracting(voters).sorted()
        for node in voters { cluster.aims[node] = nil }
        for node in absent {
            cluster.members[node] = nil
            if cluster.aims[node] != .removed { cluster.aims[node] = nil }
        }
        _ = cluster.forgetReports(of: absent, at: cluster.journal.entries.last?.at ?? .now())
        cluster.drained = []
        cluster.leader = nil
        cluster.virtualAddressHolder = nil
        cluster.loans.clear()
    }

    /// The commands that make `node` the only one wanted, when `membership` is Raft's at this point.
    package func commands(leaving node: NodeID, of membership: Membership, at time: WallTime) -> [Command] {
        let wanted = cluster.aims.filter { $0.value != .removed }.keys
        let others = Set(membership.everyone).union(wanted).union(cluster.members.keys).subtracting([node])
        func wish(_ wish: MemberChange.Wish) -> Command {
            .changeMember(MemberChange(wish, author: "force-new-cluster", at: time))
        }
        let promotion = cluster.aims[node] == .learner ? [wish(.promote(node))] : []
        return promotion + others.sorted().map { wish(.remove($0)) }
    }
}
