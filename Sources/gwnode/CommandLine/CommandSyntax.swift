/// A command of gwnode, as its words say it.
package enum CommandName: String, CaseIterable, Sendable {
    case run
    case demo
    case demoBackend = "demo-backend"
    case validate
    case status
    case configShow = "config show"
    case configApply = "config apply"
    case configHistory = "config history"
    case configDiff = "config diff"
    case configRollback = "config rollback"
    case events
    case top
    case membersList = "members list"
    case membersAdd = "members add"
    case membersPromote = "members promote"
    case membersRemove = "members remove"
    case leaderTransfer = "leader transfer"
    case nodeDrain = "node drain"
    case nodeUndrain = "node undrain"
    case upgrade
    case drill
    case certificatesInit = "certificates init"
    case certificatesIssue = "certificates issue"
    case keysList = "keys list"
    case keysGet = "keys get"
    case keysPut = "keys put"
    case keysDelete = "keys delete"
    case snapshotSave = "snapshot save"
    case snapshotShow = "snapshot show"
    case snapshotRestore = "snapshot restore"
    case forceNewCluster = "force-new-cluster"
    case backendList = "backend list"
    case backendEnable = "backend enable"
    case backendDrain = "backend drain"
    case backendUndrain = "backend undrain"
    case backendDisable = "backend disable"
    case backendAdd = "backend add"
    case backendWeight = "backend weight"
    case backendRegister = "backend register"
    case backendDeregister = "backend deregister"
    case backendRemove = "backend remove"
    case reference
    case completions
    case manual
    case version
    case help

    package var words: [String] { rawValue.split(separator: " ").map(String.init) }
}

/// An option that a command declares.
package struct OptionSyntax: Sendable {
    /// With its dashes.
    package var name: String
    /// What stands for the value in the help; nil for an option without a value.
    package var value: String?
    package var summary: String

    static func flag(_ name: String, _ summary: String) -> OptionSyntax {
        OptionSyntax(name: name, value: nil, summary: summary)
    }

    static func value(_ name: String, _ value: String, _ summary: String) -> OptionSyntax {
        OptionSyntax(name: name, value: value, summary: summary)
    }
}

/// What a command takes, and what its help says.
package struct CommandSyntax: Sendable {
    /// As the help shows them, such as `FILE...`.
    package var operands = ""
    package var operandCount: ClosedRange<Int> = 0...0
    package var options: [OptionSyntax] = []
    /// One line.
    package var summary: String
    package var details = ""
    /// Command lines with what they do.
    package var examples: [(line: String, meaning: String)] = []
}

extension CommandName {
    package var syntax: CommandSyntax {
        switch self {
        case .run: Self.runSyntax
        case .demo: Self.demoSyntax
        case .demoBackend: Self.demoBackendSyntax
        case .validate: Self.validateSyntax
        case .status: Self.statusSyntax
        case .configShow: Self.configShowSyntax
        case .configApply: Self.configApplySyntax
        case .configHistory: Self.configHistorySyntax
        case .configDiff: Self.configDiffSyntax
        case .configRollback: Self.configRollbackSyntax
        case .events: Self.eventsSyntax
        case .top: Self.topSyntax
        case .membersList: Self.membersListSyntax
        case .membersAdd: Self.membersAddSyntax
        case .membersPromote: Self.membersPromoteSyntax
        case .membersRemove: Self.membersRemoveSyntax
        case .leaderTransfer: Self.leaderTransferSyntax
        case .nodeDrain: Self.nodeDrainSyntax
        case .nodeUndrain: Self.nodeUndrainSyntax
        case .upgrade: Self.upgradeSyntax
        case .drill: Self.drillSyntax
        case .certificatesInit: Self.certificatesInitSyntax
        case .certificatesIssue: Self.certificatesIssueSyntax
        case .keysList: Self.keysListSyntax
        case .keysGet: Self.keysGetSyntax
        case .keysPut: Self.keysPutSyntax
        case .keysDelete: Self.keysDeleteSyntax
        case .snapshotSave: Self.snapshotSaveSyntax
        case .snapshotShow: Self.snapshotShowSyntax
        case .snapshotRestore: Self.snapshotRestoreSyntax
        case .forceNewCluster: Self.forceNewClusterSyntax
        case .backendList: Self.backendListSyntax
        case .backendEnable: Self.modeSyntax("Lets a backend take requests again.", "enable")
        case .backendUndrain: Self.modeSyntax("Lets a drained backend take requests again, as enable does.", "undrain")
        case .backendAdd: Self.backendAddSyntax
        case .backendWeight: Self.backendWeightSyntax
        case .backendRegister: Self.backendRegisterSyntax
        case .backendDeregister: Self.backendDeregisterSyntax
        case .backendRemove: Self.backendRemoveSyntax
        case .backendDrain: Self.modeSyntax("Sends a backend no new requests; running ones end.", "drain")
        case .backendDisable:
            Self.modeSyntax("Sends a backend no requests; running ones are not waited for.", "disable")
        case .reference: CommandSyntax(summary: "Prints the reference of both configuration files, in Markdown.")
        case .completions: Self.completionsSyntax
        case .manual:
            CommandSyntax(summary: "Prints the manual page.", details: "`man -l -` shows it.")
        case .version: CommandSyntax(summary: "Prints the version.")
        case .help:
            CommandSyntax(
                operands: "[COMMAND]", operandCount: 0...2, summary: "Explains gwnode or one of its commands.")
        }
    }

    static let accessOptions: [OptionSyntax] =
        [
            .value("--admin", "ADDRESS[,...]", "Ask these nodes, in this order: HOST:PORT, or unix:PATH."),
            .value("--config", "FILE", "Ask the peers of this node file."), tokenOption,
        ] + certificateOptions

    /// For admin APIs with `adminTls`; `--config` brings them along.
    static let certificateOptions: [OptionSyntax] = [
        .value("--ca", "FILE", "Speak TLS, to nodes that this authority has certified; with --certificate and --key."),
        .value("--certificate", "FILE", "Show this certificate, an operator's or a node's."),
        .value("--key", "FILE", "Its private key."),
    ]

    static let tokenOption = OptionSyntax.value(
        "--token-file", "FILE", "Show this token; that of GWNODE_TOKEN_FILE or the node file unless told.")

    static let accessDetails = """
        Without --admin and --config the nodes are those of the environment variable GWNODE_ADMIN (as --admin), or \
        127.0.0.1:8091 to 8093, where the demo has them.
        """

    static let formatOption = OptionSyntax.value("--format", "table|json", "How to print; table unless told.")

    private static let runSyntax = CommandSyntax(
        options: [.value("--config", "FILE", "The node file.")],
        summary: "Runs a node until SIGTERM.",
        details: """
            Exits 0 after a stop that was asked for, 1 on a failure, 4 when the node was removed from its cluster.
            """,
        examples: [("gwnode run --config /etc/gwnode/node.json5", "what the systemd unit does")])

    private static let demoSyntax = CommandSyntax(
        options: [
            .value("--directory", "DIR", "Keep the nodes' data and files here; a temporary directory unless told."),
            .value("--base-port", "N", "The port of the virtual address, 1024 to 65502; 8080 unless told."),
        ],
        summary: "Starts a cluster of three nodes and three sample backends on this machine, until ^C.",
        details: """
            With base port N: virtual address 127.0.0.100:N, the nodes' own addresses 127.0.0.1:N+1 to N+3, admin API \
            N+11 to N+13, Raft N+21 to N+23, backends N+31 to N+33.
            """,
        examples: [("gwnode demo --base-port 9000", "the virtual address is 127.0.0.100:9000")])

    private static let demoBackendSyntax = CommandSyntax(
        options: [
            .value("--listen", "IP:PORT", "Where to serve."),
            .value("--name", "NAME", "What it calls itself in body and X-Backend."),
        ],
        summary: "Runs one of the demo's sample backends, an HTTP server that says who it is.",
        examples: [("gwnode demo-backend --listen 127.0.0.1:9001 --name b1", "to have something to balance on")])

    private static let validateSyntax = CommandSyntax(
        operands: "FILE...", operandCount: 1...1000,
        summary: "Checks node files and gateway files.",
        details: "Prints every problem as file:line:column: path: what is wrong; what would be right. Exits 0 or 1.",
        examples: [("gwnode validate node.json5 gateway.json5", "checks both, each for what it is")])

    private static let statusSyntax = CommandSyntax(
        options: accessOptions + [
            formatOption, .flag("--watch", "Print again every second until ^C."),
            .flag("--stale", "Take what the asked node has, without asking a quorum."),
        ],
        summary: "Shows nodes, virtual addresses, upstreams and backends.",
        details: """
            Asks one node after the other until one answers whose view a quorum confirms; failing that, shows the \
            view of the first one that answers and says so. Exits 0 when all is well, 1 when \
            something is down, 2 without a quorum, 3 when no node answers. \(accessDetails)
            """,
        examples: [
            ("gwnode status", "the demo's cluster"),
            ("gwnode status --admin 10.0.0.1:8091,10.0.0.2:8091 --format json", "for programs"),
        ])

    private static let completionsSyntax = CommandSyntax(
        operands: "SHELL", operandCount: 1...1,
        summary: "Prints what makes a shell complete gwnode's words: bash, zsh or fish.",
        details: "In bash, `source <(gwnode completions bash)` is enough for the shell at hand.",
        examples: [("gwnode completions fish > ~/.config/fish/completions/gwnode.fish", "for good")])

    private static let backendListSyntax = CommandSyntax(
        options: accessOptions + [formatOption],
        summary: "Lists upstreams and backends.",
        details: accessDetails)

    private static func modeSyntax(_ summary: String, _ verb: String) -> CommandSyntax {
        CommandSyntax(
            operands: "[UPSTREAM] ADDRESS", operandCount: 1...2, options: accessOptions, summary: summary,
            details: "Without UPSTREAM: in every upstream that has the address. \(accessDetails)",
            examples: [
                ("gwnode backend \(verb) app 10.0.0.7:8080", "in the upstream app"),
                ("gwnode backend \(verb) 10.0.0.7:8080", "in all upstreams"),
            ])
    }
}
