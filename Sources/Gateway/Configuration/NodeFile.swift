import Posix
import Raft
import TLS

/// The node file: its keys, their ranges, their defaults and what they mean.
extension NodeConfiguration {
    /// Reads a node file, or throws everything that is wrong with it. Relative paths in it are taken from the
    /// directory of `file`.
    package static func read(_ bytes: [UInt8], file: String) throws(ConfigurationProblems) -> NodeConfiguration {
        var configuration = try schema.read(bytes, file: file)
        configuration.dataDirectory = path(configuration.dataDirectory, besides: file)
        configuration.gatewayFile = configuration.gatewayFile.map { path($0, besides: file) }
        configuration.adminToken = configuration.adminToken.map { path($0, besides: file) }
        if case .exec(var hook) = configuration.virtualAddress {
            hook.command = path(hook.command, besides: file)
            configuration.virtualAddress = .exec(hook)
        }
        if let hook = configuration.scalingHook { configuration.scalingHook?.path = path(hook.path, besides: file) }
        if case .unix(let socket) = configuration.admin {
            configuration.admin = .unix(path: path(socket, besides: file))
        }
        if let files = configuration.certificate {
            configuration.certificate = NodeCertificateFiles(
                authority: path(files.authority, besides: file), certificate: path(files.certificate, besides: file),
                key: path(files.key, besides: file))
        }
        if case .file(let log) = configuration.accessLog?.destination {
            configuration.accessLog?.destination = .file(path: path(log, besides: file))
        }
        return configuration
    }

    private static let fields = Schema<NodeConfiguration>.object(
        .required("cluster", .name, "The cluster's name, the same on every node. Others are refused."),
        .required("node", .identity, "Which of the peers this node is."),
        .required("dataDirectory", .filePath, "Where the log, snapshots and identity lie. For this node alone."),
        .optional(
            "listen", .dictionary(of: .socketAddress.distinct(), maximumCount: GatewayConfiguration.Limit.listeners),
            default: [:],
            "This node's own address for a listener, by the listener's name. Others are served on all addresses."),
        .optional(
            "admin", .ownAdminEndpoint, default: standardAdmin,
            "Where the admin API listens."),
        adminSocketField,
        .optional(
            "adminToken", .filePath,
            "A file of mode 600 with the token that clients of the admin API show. An address that other machines "
                + "reach needs one, or adminTls; use the same on every node."),
        .optional(
            "adminTls", .boolean, default: false,
            "The admin API speaks TLS 1.3 alone, and only to those who show a certificate of the cluster's authority, a "
                + "node's or an operator's: see nodeCertificate. Use the same on every node."),
        .required(
            "peers", .array(of: .peer, count: 1...maximumPeers),
            "Every voter of the cluster, this node included; the same list on every node."),
        .optional(
            "join", .boolean, default: false,
            "For a node that is added to a running cluster: it founds nothing and waits for `gwnode members add`. "
                + "Its peers are some nodes to find the cluster by, and itself."),
        .optional(
            "nodeCertificate", .nodeCertificate,
            "With it, the nodes talk by TLS 1.3 and only to those that the same authority has certified; "
                + "`gwnode certificates` makes all that is needed. Left out: they trust the network between them."),
        .optional(
            "virtualAddress", .virtualAddressProvider, default: .none, "How this node takes the virtual addresses."),
        .optional(
            "timing", .choice, default: TimingProfile.lan,
            "How fast a dead node is noticed: \"lan\", \"fast\" with real-time scheduling, \"cautious\" on busy machines, "
                + "\"wan\" between sites."),
        moveTimeoutField, upgradeTimeoutField,
        .optional(
            "moveConnections", .boolean, default: true,
            "Whether open connections of clients go along when virtual addresses move, on purpose or because this process "
                + "was killed, as far as the kernel can do that (it takes CAP_NET_ADMIN and nf_tables). Where they do not, a "
                + "planned move ends them with their next answer."),
        .optional(
            "rebuildConnections", .boolean, default: true,
            "Whether nodes tell each other of open connections of clients, so that those at rest go on at another node when "
                + "their machine dies. Only together with `moveConnections`, and not for listeners with TLS."),
        .optional("gatewayFile", .filePath, "Seeds the first configuration of a cluster that has none."),
        .optional("workers", .integer(1...256), "Threads that serve clients. Left out: one for each processor."),
        .optional(
            "engine", .choice, default: EngineChoice.auto,
            "How they move bytes: \"io_uring\", \"epoll\", or \"auto\": the first where the kernel allows it."),
        .optional("limits", .nodeLimits, default: .standard, "How many connections this machine is to bear."),
        .optional("accessLog", .accessLog, default: nil, "Where a line for each request is written, and how."),
        scalingHookField,
        .optional("logLevel", .choice, default: LogLevelWord.info, "The least important lines that are logged."),
        logFormatField,
        make: NodeConfiguration.assembled
    )

    /// With the admin API where it may be.
    private static let placed: Schema<NodeConfiguration> =
        fields
        .rule(
            at: "admin", { $0.adminToken != nil || $0.adminTLS || $0.admin.isLocal },
            wrong: "other machines can reach this address, and clients of the admin API need no token",
            right: "use a loopback address, or adminTls: true, or name a token file with adminToken"
        )
        .rule(
            at: "adminTls", { !$0.adminTLS || $0.certificate != nil },
            wrong: "there is no certificate to show, and no authority to ask for",
            right: "name both with nodeCertificate; `gwnode certificates` makes them"
        )
        .rule(
            at: "adminTls", { !$0.adminTLS || $0.admin.numericAddress != nil },
            wrong: "the admin API is on a socket, whose file's rights protect it", right: "leave it out"
        )
        .rule(
            at: "adminSocket",
            { node in
                switch node.admin {
                case .tcp: node.adminSocket == .standard
                case .unix: true
                }
            },
            wrong: "the admin API is on no socket", right: "use admin: \"unix:/run/gwnode/admin.sock\", or leave it out"
        )

    package static let schema: Schema<NodeConfiguration> =
        placed
        .rule(
            at: "node", { $0.ownPeer?.name ?? $0.node.name == $0.node.name },
            wrong: "the peer of this id has another name", right: "use the same id and name here and among the peers"
        )
        .rule(
            at: "join", { !$0.join || $0.peers.count > 1 },
            wrong: "there is no peer to find the cluster by", right: "list the present nodes among the peers")

    private static let adminSocketField: Field<AdminSocketRights?> = .optional(
        "adminSocket", .adminSocket, "Who may use the admin API where it is a socket.")

    private static let scalingHookField: Field<ScalingHook?> = .optional(
        "scalingHook", .scalingHook,
        "A program that the leader runs once for each decision on how many backends an upstream asks for; the same on "
            + "every node. Its arguments are the upstream, the number of backends, and the number of the decision.")

    private static let moveTimeoutField: Field<Nanoseconds> = .optional(
        "moveTimeout", .duration(from: .zero, to: longestMoveTimeout), default: standardMoveTimeout,
        "For how long requests may go on before the virtual addresses move on purpose.")

    private static let upgradeTimeoutField: Field<Nanoseconds> = .optional(
        "upgradeTimeout", .duration(from: .zero, to: .seconds(86_400)), default: standardUpgradeTimeout,
        "For how long the former process goes on after an upgrade with what the new one can not take over: WebSockets, "
            + "TLS connections, long answers.")

    private static let logFormatField: Field<LogFormat> = .optional(
        "logFormat", .choice, default: LogFormat.text,
        "How they are written: \"text\" for people, \"logfmt\" or \"json\" for programs.")

    private static let standardAdmin = AdminPlace.tcp(HostPort(host: "127.0.0.1", port: 8091))

    private static func path(_ path: String, besides file: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }

    private static func assembled(
        cluster: String, node: Identity, dataDirectory: String, listen: [String: SocketAddress], admin: AdminPlace,
        adminSocket: AdminSocketRights?, adminToken: String?, adminTLS: Bool, peers: [Peer], join: Bool,
        certificate: NodeCertificateFiles?,
        virtualAddress: VirtualAddressProvider,
        timing: TimingProfile, moveTimeout: Nanoseconds, upgradeTimeout: Nanoseconds, movesConnections: Bool,
        rebuildsConnections: Bool,
        gatewayFile: String?, workers: Int?, engine: EngineChoice, limits: NodeLimits, accessLog: AccessLogOptions?,
        scalingHook: ScalingHook?, logLevel: LogLevelWord, logFormat: LogFormat
    ) -> NodeConfiguration {
        NodeConfiguration(
            cluster: cluster, node: node, dataDirectory: dataDirectory, listen: listen, admin: admin,
            adminSocket: adminSocket ?? .standard, adminToken: adminToken, adminTLS: adminTLS,
            peers: peers.sorted { $0.id < $1.id },
            join: join,
            certificate: certificate, virtualAddress: virtualAddress, timing: timing, moveTimeout: moveTimeout,
            upgradeTimeout: upgradeTimeout, movesConnections: movesConnections,
            rebuildsConnections: rebuildsConnections, gatewayFile: gatewayFile,
            workers: workers, engine: engine, limits: limits, accessLog: accessLog, scalingHook: scalingHook,
            logLevel: logLevel.level,
            logFormat: logFormat)
    }
}

extension Schema where Value == NodeConfiguration.Identity {
    fileprivate static let identity = object(
        .required("id", .nodeID.reference(to: "peers[].id", "peer of id"), "Never given to another node."),
        .required("name", .name, "For people."),
        make: NodeConfiguration.Identity.init)
}

extension Schema where Value == NodeConfiguration.ScalingHook {
    fileprivate static let scalingHook = object(
        .required("path", .filePath, "The program. It is run without a shell."),
        timeout, make: NodeConfiguration.ScalingHook.init)

    private static let timeout: Field<Nanoseconds> = .optional(
        "timeout", .duration(from: .seconds(1), to: .seconds(600)), default: .seconds(30),
        "After which it is killed, with all that it has started.")
}

extension Schema where Value == NodeConfiguration.Peer {
    fileprivate static let peer = object(
        .required("id", .nodeID.distinct(), "The node's number."),
        .required("name", .name.distinct(), "The node's name."),
        .required("raft", .hostPort.distinct(), "Where the other nodes reach it, and where it listens for them."),
        .required("admin", .adminEndpoint.distinctAddress, "Where its admin API is reached."),
        make: NodeConfiguration.Peer.init
    ).rule(
        at: "admin", { .tcp($0.raft) != $0.admin }, wrong: "the same as the raft address", right: "use another port")
}

extension Schema where Value == NodeID {
    fileprivate static var nodeID: Schema { Schema<Int>.integer(NodeConfiguration.nodeIDs).map { NodeID(UInt64($0)) } }
}

extension VirtualAddressProvider {
    /// As it would be written in a file.
    fileprivate var text: String {
        switch self {
        case .loopback: "{ provider: \"loopback\" }"
        case .netlink(let interface): "{ provider: \"netlink\", interface: \"\(interface)\" }"
        case .exec(let hook): "{ provider: \"exec\", command: \"\(hook.command)\" }"
        case .none: "{ provider: \"none\" }"
        }
    }
}

/// The providers of virtual addresses; the raw value is the name in files.
private enum ProviderWord: String, CaseIterable {
    case loopback
    case netlink
    case exec
    case none
}

extension Schema where Value == VirtualAddressProvider {
    fileprivate static let virtualAddressProvider = tagged(
        "provider", default: nil as ProviderWord?, write: { $0.text }
    ) { provider in
        switch provider {
        case .loopback: object(providerField, make: { _ in .loopback })
        case .netlink: object(providerField, interface, make: { .netlink(interface: $1) })
        case .exec:
            object(
                providerField, command, timeout, statusInterval,
                make: { _, command, timeout, interval in
                    .exec(AddressHook(command: command, limits: .init(timeout: timeout, statusInterval: interval)))
                })
        case .none: object(providerField, make: { _ in .none })
        }
    }

    private static var providerField: Field<ProviderWord> {
        .required(
            "provider", .choice,
            "\"loopback\": an address of 127.0.0.0/8, for one machine; \"netlink\": on an interface; \"exec\": by a "
                + "command; \"none\".")
    }

    private static var command: Field<String> {
        .required("command", .filePath, "The program that claims, releases and checks an address; see docs/hooks.md.")
    }

    private static var timeout: Field<Nanoseconds> {
        .optional(
            "timeout", .duration(from: .milliseconds(100), to: .seconds(60)), default: .seconds(5),
            "A call that takes longer is killed.")
    }

    private static var statusInterval: Field<Nanoseconds> {
        .optional(
            "statusInterval", .duration(from: .milliseconds(100), to: .seconds(60)), default: .seconds(2),
            "From one check of a held address to the next.")
    }

    private static var interface: Field<String> {
        .required("interface", .interfaceName, "The network interface that gets the addresses, such as \"eth0\".")
    }
}

extension Schema where Value == String {
    fileprivate static var interfaceName: Schema {
        let noun = "an interface such as \"eth0\", of 1 to 15 bytes"
        return text(noun) { text throws(TextFault) in
            guard 1...15 ~= text.utf8.count, text.utf8.allSatisfy({ 0x21...0x7e ~= $0 && $0 != UInt8(ascii: "/") })
            else { throw TextFault(wrong: "\(quoted(text)) is no interface", right: "use \(noun)") }
            return text
        }
    }
}

/// The words for log levels in files.
private enum LogLevelWord: String, CaseIterable {
    case debug
    case info
    case warning
    case error

    var level: Log.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}
