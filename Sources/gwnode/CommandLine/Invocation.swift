import Gateway
import Posix
import TLS

/// What the command line asks for, with every value read.
package enum Invocation: Hashable, Sendable {
    case help(CommandName?)
    case version
    case manual
    case reference
    case completions(ShellCompletion)
    case run(configPath: String)
    case demo(directory: String?, basePort: UInt16)
    case demoBackend(listen: SocketAddress, name: String)
    case validate(files: [String])
    case status(AdminAccess, OutputFormat, AdminServices.Consistency, watch: Bool)
    case showConfiguration(AdminAccess, Revision?, AdminServices.Consistency)
    case applyConfiguration(AdminAccess, file: String, ifRevision: Revision?)
    case listHistory(AdminAccess, OutputFormat, AdminServices.Consistency)
    case compareRevisions(AdminAccess, from: Revision?, to: Revision?, AdminServices.Consistency)
    case compareFile(AdminAccess, from: Revision?, file: String, AdminServices.Consistency)
    case rollBack(AdminAccess, to: Revision?, ifRevision: Revision?)
    case top(AdminAccess, OutputFormat, once: Bool)
    case events(AdminAccess, OutputFormat, AdminServices.Consistency, follow: Bool)
    case listBackends(AdminAccess, OutputFormat)
    case setMode(AdminAccess, BackendMode, upstream: String?, SocketAddress)
    /// Nil for the weight: as it is, or 1.
    case putBackend(AdminAccess, BackendKey, weight: Int?, mustExist: Bool, ifRevision: Revision?)
    case removeBackend(AdminAccess, BackendKey, ifRevision: Revision?)
    case register(AdminAccess, RegistrationKey, Registration)
    case deregister(AdminAccess, RegistrationKey)
    case listMembers(AdminAccess, OutputFormat)
    case addMember(AdminAccess, id: UInt64, NewMemberDocument)
    case promoteMember(AdminAccess, String)
    case removeMember(AdminAccess, String)
    case transferLeadership(AdminAccess, to: String?)
    case drainNode(AdminAccess, String)
    case undrainNode(AdminAccess, String)
    case upgrade(AdminAccess)
    case drill(AdminAccess, DrillKind, count: Int, isConfirmed: Bool)
    case makeAuthority(directory: String, days: Int)
    case issueCertificates(directory: String, nodeFile: String, only: UInt64?, days: Int, renew: Bool)
    case issueOperatorCertificate(directory: String, nodeFile: String, name: String, days: Int, renew: Bool)
    case listKeys(AdminAccess, prefix: String, OutputFormat, AdminServices.Consistency)
    case getKey(AdminAccess, KeyName, AdminServices.Consistency)
    case putKey(AdminAccess, KeyName, KeyValue, KeyChange.Condition)
    case deleteKey(AdminAccess, KeyName, KeyChange.Condition)
    case saveSnapshot(AdminAccess, file: String, AdminServices.Consistency)
    case showSnapshot(file: String)
    /// Without `isConfirmed` only what would be done is shown.
    case restoreSnapshot(file: String, configPath: String, token: String?, isConfirmed: Bool)
    case forceNewCluster(configPath: String, isConfirmed: Bool)

    /// `arguments` are those after the program's name.
    package init(_ arguments: [String]) throws(UsageError) {
        let parsed = try ParsedArguments(arguments)
        self = parsed.wantsHelp ? .help(parsed.command) : try Self.read(parsed)
    }

    private static func read(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        switch parsed.command {
        case .help: .help(try helpTopic(parsed.operands))
        case .version: .version
        case .manual: .manual
        case .reference: .reference
        case .completions: .completions(try shell(parsed.operands[0]))
        case .run: .run(configPath: try configPath(parsed))
        case .demo: .demo(directory: parsed.value("--directory"), basePort: try basePort(parsed))
        case .demoBackend: try demoBackend(parsed)
        case .validate: .validate(files: parsed.operands)
        case .status:
            .status(try access(parsed), try format(parsed), consistency(parsed), watch: parsed.has("--watch"))
        case .configShow:
            .showConfiguration(try access(parsed), try revision("--revision", parsed), consistency(parsed))
        case .configApply:
            .applyConfiguration(
                try access(parsed), file: parsed.operands[0], ifRevision: try revision("--if-revision", parsed))
        case .configHistory: .listHistory(try access(parsed), try format(parsed), consistency(parsed))
        case .configDiff: try comparison(parsed)
        case .configRollback: try rollback(parsed)
        case .top: .top(try access(parsed), try format(parsed), once: parsed.has("--once"))
        case .events:
            .events(try access(parsed), try format(parsed), consistency(parsed), follow: parsed.has("--follow"))
        case .membersList: .listMembers(try access(parsed), try format(parsed))
        case .membersAdd: try addition(parsed)
        case .membersPromote: .promoteMember(try access(parsed), parsed.operands[0])
        case .membersRemove: .removeMember(try access(parsed), parsed.operands[0])
        case .leaderTransfer: .transferLeadership(try access(parsed), to: parsed.value("--to"))
        case .nodeDrain: .drainNode(try access(parsed), parsed.operands[0])
        case .nodeUndrain: .undrainNode(try access(parsed), parsed.operands[0])
        case .upgrade: .upgrade(try access(parsed))
        case .drill: try drill(parsed)
        case .certificatesInit: try authority(parsed)
        case .certificatesIssue: try certificates(parsed)
        case .keysList:
            .listKeys(try access(parsed), prefix: try keyPrefix(parsed), try format(parsed), consistency(parsed))
        case .keysGet: .getKey(try access(parsed), try key(parsed), consistency(parsed))
        case .keysPut: .putKey(try access(parsed), try key(parsed), try keyValue(parsed), try condition(parsed))
        case .keysDelete: .deleteKey(try access(parsed), try key(parsed), try condition(parsed))
        case .snapshotSave: .saveSnapshot(try access(parsed), file: parsed.operands[0], consistency(parsed))
        case .snapshotShow: .showSnapshot(file: parsed.operands[0])
        case .snapshotRestore: try restore(parsed)
        case .forceNewCluster:
            .forceNewCluster(configPath: try configPath(parsed), isConfirmed: parsed.has("--yes"))
        case .backendList: .listBackends(try access(parsed), try format(parsed))
        case .backendEnable: try modeChange(parsed, .enabled)
        case .backendUndrain: try modeChange(parsed, .enabled)
        case .backendAdd, .backendWeight, .backendRemove: try backendEdit(parsed)
        case .backendRegister: try registration(parsed)
        case .backendDeregister: .deregister(try access(parsed), try registrationKey(parsed))
        case .backendDrain: try modeChange(parsed, .draining)
        case .backendDisable: try modeChange(parsed, .disabled)
        }
    }

    private static func helpTopic(_ words: [String]) throws(UsageError) -> CommandName? {
        if words.isEmpty { return nil }
        if words.count == 1, CommandName.allCases.contains(where: { $0.words.count == 2 && $0.words[0] == words[0] }) {
            return nil
        }
        return try ParsedArguments(words + ["--help"]).command
    }

    private static func shell(_ name: String) throws(UsageError) -> ShellCompletion {
        guard let shell = ShellCompletion(rawValue: name) else {
            let known = ShellCompletion.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError("there are no completions for \(Terminal.printable(name)); use one of \(known)")
        }
        return shell
    }

    static func configPath(_ parsed: ParsedArguments) throws(UsageError) -> String {
        guard let path = parsed.value("--config") else {
            throw UsageError("\(parsed.command.rawValue) needs --config FILE, the node file")
        }
        return path
    }

    private static func basePort(_ parsed: ParsedArguments) throws(UsageError) -> UInt16 {
        guard let text = parsed.value("--base-port") else { return DemoLayout.defaultBasePort }
        guard let port = UInt16(text), DemoLayout.basePorts.contains(port) else {
            let (first, last) = (DemoLayout.basePorts.lowerBound, DemoLayout.basePorts.upperBound)
            throw UsageError("--base-port \(Terminal.printable(text)) is not a number from \(first) to \(last)")
        }
        return port
    }

    private static func demoBackend(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        guard let text = parsed.value("--listen") else { throw UsageError("demo-backend needs --listen IP:PORT") }
        guard let listen = SocketAddress(text) else {
            throw UsageError("--listen \(Terminal.printable(text)) is not IP:PORT as in 127.0.0.1:9001")
        }
        let name = parsed.value("--name") ?? text
        guard name.utf8.count <= 64, name.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else {
            throw UsageError("--name has to be at most 64 visible ASCII characters")
        }
        return .demoBackend(listen: listen, name: name)
    }

    /// `option` names the nodes to ask.
    static func access(_ parsed: ParsedArguments, option: String = "--admin") throws(UsageError) -> AdminAccess {
        let configPath = parsed.value("--config")
        let token = parsed.value("--token-file")
        let certificate = try certificate(parsed)
        guard let list = parsed.value(option) else {
            return AdminAccess(addresses: nil, configPath: configPath, tokenPath: token, certificate: certificate)
        }
        if configPath != nil { throw UsageError("\(option) and --config exclude each other; give one") }
        return AdminAccess(
            addresses: try AdminAccess.addresses(list, source: option), configPath: nil, tokenPath: token,
            certificate: certificate)
    }

    private static func certificate(_ parsed: ParsedArguments) throws(UsageError) -> NodeCertificateFiles? {
        switch (parsed.value("--ca"), parsed.value("--certificate"), parsed.value("--key")) {
        case (nil, nil, nil): return nil
        case (let authority?, let certificate?, let key?):
            return NodeCertificateFiles(authority: authority, certificate: certificate, key: key)
        case _: throw UsageError("--ca, --certificate and --key go together; give all three")
        }
    }

    static func consistency(_ parsed: ParsedArguments) -> AdminServices.Consistency {
        parsed.has("--stale") ? .stale : .linearizable
    }

    private static func format(_ parsed: ParsedArguments) throws(UsageError) -> OutputFormat {
        guard let word = parsed.value("--format") else { return .table }
        guard let format = OutputFormat(rawValue: word) else {
            throw UsageError("--format \(Terminal.printable(word)) is unknown; use table or json")
        }
        return format
    }

    private static func modeChange(_ parsed: ParsedArguments, _ mode: BackendMode) throws(UsageError) -> Invocation {
        let address = try address(parsed.operands[parsed.operands.count - 1])
        let upstream = parsed.operands.count == 2 ? parsed.operands[0] : nil
        return .setMode(try access(parsed), mode, upstream: upstream, address)
    }
}

package enum OutputFormat: String, Hashable, Sendable, CaseIterable {
    case table
    case json
}
