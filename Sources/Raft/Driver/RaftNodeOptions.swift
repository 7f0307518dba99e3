import Posix
import TLS

/// What a node is told when it is made.
package struct RaftNodeOptions: Sendable {
    /// At most `Hello.clusterNameBytes` bytes; nodes of another cluster are refused by it.
    package var cluster: String
    package var id: NodeID
    /// Where the peers reach this node; port 0 takes a free one.
    package var listen: SocketAddress
    /// Absolute. Made when it is not there.
    package var dataDirectory: String
    /// The members at the founding of the cluster, the same at every founding node.
    package var founding: Membership
    package var peers: [PeerAddress]
    /// With it, nodes talk by TLS, and only to those that the same authority has certified.
    package var certificate: NodeCertificateFiles?
    package var timing = Timing.lan
    package var limits = Limits()
    package var snapshot = SnapshotPolicy()
    /// Of the process whose place this one takes; nil for any other start.
    package var heritage: RaftHeritage?

    package init(
        cluster: String, id: NodeID, listen: SocketAddress, dataDirectory: String, founding: Membership,
        peers: [PeerAddress]
    ) {
        self.cluster = cluster
        self.id = id
        self.listen = listen
        self.dataDirectory = dataDirectory
        self.founding = founding
        self.peers = peers
    }
}

/// What one process of a node leaves to the next one. The descriptors are the taker's.
package struct RaftHeritage: Sendable {
    /// Of the data directory's lock, held.
    package var lock: Int32
    /// On which the peers connect.
    package var listener: Int32
    package var continuation: Continuation?

    package init(lock: Int32, listener: Int32, continuation: Continuation?) {
        self.lock = lock
        self.listener = listener
        self.continuation = continuation
    }
}

/// When the applied state is saved so that the log before it can go.
package struct SnapshotPolicy: Hashable, Sendable {
    /// Entries applied since the last snapshot.
    package var entries: UInt64 = 10_000
    /// Bytes of commands applied since the last snapshot.
    package var commandBytes: UInt64 = 16 << 20
    package init() {}
}

/// Where another node is reached.
package struct PeerAddress: Hashable, Sendable {
    package var id: NodeID
    /// `IPv4:port`, `[IPv6]:port` or `name:port`. Names are resolved anew at each attempt to connect.
    package var address: String

    package init(id: NodeID, address: String) {
        self.id = id
        self.address = address
    }
}
