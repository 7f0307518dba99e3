import Posix
import Raft
import TLS

/// What is true for one node only: who it is, where it listens, where its data lies. Read once at start.
package struct NodeConfiguration: Hashable, Sendable {
    /// Nodes of different clusters refuse each other.
    package var cluster: String
    package var node: Identity
    /// Resolved against the directory of the file, if it was relative there.
    package var dataDirectory: String
    /// This node's own address for a listener of the gateway file, by the listener's name. A listener that is not
    /// here is served on all addresses of the machine.
    package var listen: [String: SocketAddress]
    /// Where the admin API listens.
    package var admin: AdminPlace
    /// Where that is a socket.
    package var adminSocket: AdminSocketRights
    /// The file with the token that clients of the admin API show; resolved as `dataDirectory`. Nil: none is asked for.
    package var adminToken: String?
    /// Clients of the admin API speak TLS and show a certificate of the cluster's authority; for `certificate` alone.
    package var adminTLS: Bool
    /// Every voter of the cluster, this node included, sorted by id.
    package var peers: [Peer]
    /// This node founds nothing: it waits until `gwnode members add` makes it a member of a running cluster.
    package var join: Bool
    /// Nil: the nodes trust the network between them. Its paths are resolved as `dataDirectory`.
    package var certificate: NodeCertificateFiles?
    package var virtualAddress: VirtualAddressProvider
    package var timing: TimingProfile
    /// For how long requests under way may go on before a planned move of the virtual addresses.
    package var moveTimeout: Nanoseconds
    /// For how long a former process goes on with what the new one can not take over.
    package var upgradeTimeout: Nanoseconds
    /// Whether open connections of clients go along.
    package var movesConnections: Bool
    /// Whether connections are shared with other nodes, so that they outlive the machine.
    package var rebuildsConnections: Bool
    /// The gateway file that seeds revision 1 while the cluster has no configuration; resolved as `dataDirectory`.
    package var gatewayFile: String?
    /// Threads that serve clients, 1…256; nil: one for each processor.
    package var workers: Int?
    /// How the workers move bytes.
    package var engine: EngineChoice
    package var limits: NodeLimits
    /// Nil: requests are not logged. The path of its file is resolved as `dataDirectory`.
    package var accessLog: AccessLogOptions?
    /// Run by the leader once for each decision on how many backends an upstream asks for. Nil: none.
    package var scalingHook: ScalingHook?
    package var logLevel: Log.Level
    package var logFormat: LogFormat

    package struct Identity: Hashable, Sendable {
        package var id: NodeID
        package var name: String

        package init(id: NodeID, name: String) {
            self.id = id
            self.name = name
        }
    }

    package struct Peer: Hashable, Sendable {
        package var id: NodeID
        package var name: String
        /// Where the node's Raft transport listens and is reached.
        package var raft: HostPort
        /// Where the node's admin API is reached.
        package var admin: AdminPlace

        package init(id: NodeID, name: String, raft: HostPort, admin: AdminPlace) {
            self.id = id
            self.name = name
            self.raft = raft
            self.admin = admin
        }
    }

    package init(
        cluster: String, node: Identity, dataDirectory: String, listen: [String: SocketAddress] = [:],
        admin: AdminPlace, adminSocket: AdminSocketRights = .standard, adminToken: String? = nil,
        adminTLS: Bool = false, peers: [Peer],
        join: Bool = false, certificate: NodeCertificateFiles? = nil,
        virtualAddress: VirtualAddressProvider = .none, timing: TimingProfile = .lan,
        moveTimeout: Nanoseconds = Self.standardMoveTimeout,
        upgradeTimeout: Nanoseconds = Self.standardUpgradeTimeout, movesConnections: Bool = true,
        rebuildsConnections: Bool = true, gatewayFile: String? = nil,
        workers: Int? = nil, engine: EngineChoice = .auto, limits: NodeLimits = .standard,
        accessLog: AccessLogOptions? = nil, scalingHook: ScalingHook? = nil, logLevel: Log.Level = .info,
        logFormat: LogFormat = .text
    ) {
        self.cluster = cluster
        self.node = node
        self.dataDirectory = dataDirectory
        self.listen = listen
        self.admin = admin
        self.adminSocket = adminSocket
        self.adminToken = adminToken
        self.adminTLS = adminTLS
        self.peers = peers
        self.join = join
        self.certificate = certificate
        self.virtualAddress = virtualAddress
        self.timing = timing
        self.moveTimeout = moveTimeout
        self.upgradeTimeout = upgradeTimeout
        self.movesConnections = movesConnections
        self.rebuildsConnections = rebuildsConnections
        self.gatewayFile = gatewayFile
        self.workers = workers
        self.engine = engine
        self.limits = limits
        self.accessLog = accessLog
        self.scalingHook = scalingHook
        self.logLevel = logLevel
        self.logFormat = logFormat
    }

    /// The most voters a cluster may have: more make every write slower and hardly more available.
    package static let maximumPeers = 7
    package static let nodeIDs = 1...65535
    package static let standardMoveTimeout = Nanoseconds.seconds(2)
    package static let standardUpgradeTimeout = Nanoseconds.seconds(3600)
    package static let longestMoveTimeout = Nanoseconds.seconds(60)

    package struct ScalingHook: Hashable, Sendable {
        /// Resolved as `dataDirectory`.
        package var path: String
        /// After which it is killed.
        package var timeout: Nanoseconds

        package init(path: String, timeout: Nanoseconds = .seconds(30)) {
            self.path = path
            self.timeout = timeout
        }
    }

    /// This node's own entry among `peers`.
    package var ownPeer: Peer? { peers.first { $0.id == node.id } }
}

/// How the virtual addresses are taken and given back.
package enum VirtualAddressProvider: Hashable, Sendable {
    /// Addresses of 127.0.0.0/8, on which only the holder listens; needs no privilege. For one machine.
    case loopback
    /// Adds the address to a network interface and announces it; needs CAP_NET_ADMIN.
    case netlink(interface: String)
    /// A command moves them.
    case exec(AddressHook)
    /// This node never serves the virtual addresses.
    case none
}

/// The command of the provider `exec`.
package struct AddressHook: Hashable, Sendable {
    /// Resolved against the directory of the node file, if it was relative there.
    package var command: String
    package var limits: HookSequence.Limits

    package init(command: String, limits: HookSequence.Limits) {
        self.command = command
        self.limits = limits
    }
}

/// The timing of failure detection, by the kind of network. The raw value is the name in files.
package enum TimingProfile: String, Hashable, Sendable, CaseIterable {
    /// One switch, and hosts that let gwnode have real-time scheduling.
    case fast
    /// One switch or one rack.
    case lan
    /// Machines that are short of processor time, or virtual machines with noisy neighbours.
    case cautious
    /// Nodes in different places.
    case wan
}

/// A host, by name or numeric address, and a port: `gw1.example.org:8101`, `10.0.0.1:8101`, `[fd00::1]:8101`.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// Without brackets, names in lower case.
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package init(_ address: SocketAddress) {
        self.init(host: address.ip.description, port: address.port)
    }

    /// nil when the host is a name and must be resolved.
    package var numericAddress: SocketAddress? { IPAddress(host).map { SocketAddress(ip: $0, port: port) } }

    package var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
