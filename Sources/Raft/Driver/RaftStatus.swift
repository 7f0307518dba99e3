import Posix

/// A node's view of itself and its peers, as of the end of one turn of its loop.
package struct RaftStatus: Hashable, Sendable {
    package var at: Instant
    package var raft: Status
    package var peers: [Peer]

    package struct Peer: Hashable, Sendable {
        package var id: NodeID
        package var address: String
        /// Nil while its name is not resolved.
        package var resolved: SocketAddress?
        /// A connection to it is open and greeted.
        package var isConnected: Bool
        /// When this node last heard anything from it; nil for never.
        package var lastReceived: Instant?
        /// Through here its log is known to match; only at the leader.
        package var matched: LogIndex?
        /// Frames not sent because the queue to it was full.
        package var framesDropped: UInt64
    }

    init(at now: Instant, raft: Status, transport: [Transport.PeerState]) {
        at = now
        self.raft = raft
        peers = transport.map { peer in
            Peer(
                id: peer.id, address: peer.address, resolved: peer.resolved, isConnected: peer.isConnected,
                lastReceived: peer.lastReceived, matched: raft.peers.first { $0.id == peer.id }?.matched,
                framesDropped: peer.framesDropped)
        }
    }
}
