import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// The cluster as this node's consensus thread saw it at the end of its latest turn.
struct ClusterView: Sendable {
    var state: ClusterState
    var raft: Status
    /// The peers with an open connection.
    var connected: [NodeID]
    /// The virtual addresses that this node holds.
    var heldAddresses: [IPAddress]
    /// What is kept back of that which arrives for them.
    var onHold: ArrivalHold
    var fence: Fence
    var guardIdentity: GuardIdentity?
    /// With what this node's guard signs.
    var noticeKey: NoticeKey
    /// Connections that changed nodes.
    var moved: MovedConnections
    /// Connections of nodes that died.
    var rebuilt: RebuiltConnections
    var sightings: [NodeID: StatusSources.Sighting]
}

/// The latest view, for any thread; `changed` is woken when there is something to act on.
final class SharedClusterView: Sendable {
    private let latest = Mutex<ClusterView?>(nil)
    private let wake: @Sendable () -> Void

    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    /// nil until the consensus thread has made its first turn.
    var current: ClusterView? { latest.withLock { $0 } }

    func publish(_ view: ClusterView, stateHasChanged: Bool) {
        let isNews = latest.withLock { latest -> Bool in
            defer { latest = view }
            guard let before = latest, !stateHasChanged else { return true }
            return before.raft.role != view.raft.role || before.raft.term != view.raft.term
                || before.raft.leader != view.raft.leader || before.raft.hasQuorum != view.raft.hasQuorum
                || before.connected != view.connected || before.raft.membership != view.raft.membership
                || before.raft.committedMembership != view.raft.committedMembership
        }
        if isNews { wake() }
    }
}

extension NodeReport {
    /// What this node says of itself.
    init(of view: ClusterView?, serving: Serving, renewals: [UInt64] = [], sample: LiveSample? = nil) {
        self.init(
            pid: getpid(), version: gwnodeVersion, role: view.map { NodeRole($0.raft.role) } ?? .follower,
            term: view?.raft.term ?? .zero, commitIndex: view?.raft.commit ?? .zero,
            appliedIndex: view?.raft.applied ?? .zero, heldAddresses: view?.heldAddresses ?? [],
            fence: view?.fence ?? .lease, guardIdentity: view?.guardIdentity, engine: serving.engine,
            noticeKey: view?.noticeKey ?? NoticeKey(first: 0, second: 0), activeRequests: serving.activeRequests,
            moved: view?.moved ?? MovedConnections(), rebuilt: view?.rebuilt ?? RebuiltConnections(),
            ejected: serving.ejectedBackends(at: .now()),
            queues: serving.queues, renewals: renewals,
            problems: serving.problems, sample: sample)
    }
}
