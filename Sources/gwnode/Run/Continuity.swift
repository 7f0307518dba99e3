import Gateway
import Posix
import Raft

/// How connections of clients go on without this process: as far as the node file wants it and this machine can.
struct Continuity {
    /// The one whose addresses take their connections along when they move; nil where connections end.
    private let interface: String?
    /// Keeps connections for the time after this process is killed.
    let custody: Custody?
    /// Keeps the kernel from resetting connections that are rebuilt here.
    let mute: ResetMute?
    /// Tells other nodes of connections, for the time after this machine died.
    let sharing: ConnectionSharing?

    init(_ configuration: NodeConfiguration) throws(StartFailure) {
        let interface = Self.interface(configuration)
        let rebuilding = configuration.rebuildsConnections ? interface : nil
        let mute = rebuilding.flatMap(OutlivingConnections.mute(on:))
        self.interface = interface
        self.mute = mute
        custody = try StartFailure.wrap { () throws(SystemError) in interface == nil ? nil : try Custody(mute) }
        sharing = rebuilding == nil ? nil : ConnectionSharing()
    }

    private static func interface(_ configuration: NodeConfiguration) -> String? {
        guard configuration.movesConnections, case .netlink(let interface) = configuration.virtualAddress else {
            return nil
        }
        guard let obstacle = RepairedSocket.obstacle() else { return interface }
        Log.warning(
            "vip: open connections end when addresses move, as this process can not take them along: \(obstacle)")
        return nil
    }

    /// Hands connections over in planned moves.
    func carrier(
        _ raft: RaftNode<ClusterHost>, _ workers: WorkerPool, _ outliving: OutlivingConnections?
    ) -> ConnectionCarrier? {
        if interface == nil { return nil }
        return ConnectionCarrier(raft: raft, tally: workers.moves, rebuilder: outliving?.rebuilder)
    }

    /// Goes on with connections of other nodes.
    func heir(
        _ raft: RaftNode<ClusterHost>, _ workers: WorkerPool, _ view: SharedClusterView,
        _ outliving: OutlivingConnections?
    ) throws(StartFailure) -> ConnectionHeir? {
        guard let interface else { return nil }
        return try StartFailure.wrap { () throws(SystemError) in
            try ConnectionHeir(on: interface, raft: raft, workers: workers, view: view, tally: workers.moves) {
                outliving?.rebuilder.inherited($0, ended: $1)
            }
        }
    }
}
