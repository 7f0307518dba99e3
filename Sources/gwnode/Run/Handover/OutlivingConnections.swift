import Gateway
import Posix
import Raft
import Synchronization

/// Connections of clients that outlive their machine: this node's are shared with the others, and the others' are rebuilt
/// here. What it does follows the consensus thread, turn by turn.
final class OutlivingConnections: Sendable {
    private struct Sight: Equatable {
        var held: [IPAddress] = []
        var connected: [NodeID] = []
        var openedConnections: UInt64 = 0
    }

    let rebuilder: ConnectionRebuilder
    private let sharing: ConnectionSharing
    private let sight = Mutex(Sight())

    /// Nil where this process can not, or is not to do it.
    convenience init?(
        _ sharing: ConnectionSharing?, _ mute: ResetMute?, _ workers: WorkerPool
    ) throws(StartFailure) {
        guard let sharing else { return nil }
        let rebuilder = try StartFailure.wrap { () throws(SystemError) in
            try ConnectionRebuilder(mute: mute, workers: workers, tally: workers.rebuilds)
        }
        self.init(sharing, rebuilder)
    }

    private init(_ sharing: ConnectionSharing, _ rebuilder: ConnectionRebuilder) {
        self.sharing = sharing
        self.rebuilder = rebuilder
    }

    static func mute(on interface: String) -> ResetMute? {
        do throws(SystemError) { return try ResetMute(interface: interface) } catch {
            Log.warning(
                "vip: clients of a machine that died may be reset before their connections are rebuilt: \(error)")
            return nil
        }
    }

    func stop() {
        sharing.stop()
        rebuilder.stop()
    }

    /// To be called at the end of each turn.
    func turn(_ turn: TurnView, held: [IPAddress], _ node: RaftNode<ClusterHost>) {
        let isLeaderless =
            switch turn.raft.role {
            case .preCandidate, .candidate: true
            case .follower, .leader: false
            }
        rebuilder.turn(held: held, isLeaderless: isLeaderless) { note, other in
            node.send(note: note.encoded(), to: other)
        }
        let isNews = sight.withLock { sight in
            let before = sight
            sight = Sight(held: held, connected: turn.connected, openedConnections: turn.openedConnections)
            return before != sight
        }
        if isNews { share(connectionsTo: held, with: turn.connected, node) }
    }

    private func share(connectionsTo held: [IPAddress], with others: [NodeID], _ node: RaftNode<ClusterHost>) {
        if held.isEmpty || others.isEmpty { return sharing.stop() }
        sharing.share(connectionsTo: Set(held)) { records in
            let note = HandoverNote.shared(ConnectionRecords(records).encoded()).encoded()
            for other in others { node.send(note: note, to: other) }
        }
    }
}
