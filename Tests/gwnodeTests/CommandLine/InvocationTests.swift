import Gateway
import Posix
import Testing
import gwnode

private let standard = AdminAccess(addresses: nil, configPath: nil)

private func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

@Suite struct InvocationTests {
    private static let accepted: [(String, Invocation)] = [
        ("", .help(nil)),
        ("--help", .help(nil)),
        ("help", .help(nil)),
        ("help status", .help(.status)),
        ("help config apply", .help(.configApply)),
        ("help backend", .help(nil)),
        ("backend drain --help", .help(.backendDrain)),
        ("--version", .version),
        ("version", .version),
        ("manual", .manual),
        ("reference", .reference),
        ("completions zsh", .completions(.zsh)),
        ("run --config a.json5", .run(configPath: "a.json5")),
        ("run --config=a.json5", .run(configPath: "a.json5")),
        ("demo", .demo(directory: nil, basePort: 8080)),
        ("drill", .drill(standard, .transfer, count: 5, isConfirmed: false)),
        ("drill --kind kill --count 30 --yes", .drill(standard, .kill, count: 30, isConfirmed: true)),
        ("demo --directory d --base-port=9000", .demo(directory: "d", basePort: 9000)),
        (
            "demo-backend --listen 127.0.0.1:9001 --name b1",
            .demoBackend(listen: SocketAddress("127.0.0.1:9001")!, name: "b1")
        ),
        ("validate a b", .validate(files: ["a", "b"])),
        ("validate -- --a", .validate(files: ["--a"])),
        ("status", .status(standard, .table, .linearizable, watch: false)),
        ("status --watch --format json", .status(standard, .json, .linearizable, watch: true)),
        (
            "status --admin 10.0.0.1:8091,gw2.example.org:8091,[fd00::1]:8091",
            .status(
                AdminAccess(
                    addresses: [
                        .tcp(HostPort(host: "10.0.0.1", port: 8091)),
                        .tcp(HostPort(host: "gw2.example.org", port: 8091)),
                        .tcp(HostPort(host: "fd00::1", port: 8091)),
                    ], configPath: nil), .table, .linearizable, watch: false)
        ),
        (
            "status --admin unix:/run/gwnode/admin.sock,10.0.0.1:1",
            .status(
                AdminAccess(
                    addresses: [
                        .unix(path: "/run/gwnode/admin.sock"), .tcp(HostPort(host: "10.0.0.1", port: 1)),
                    ], configPath: nil), .table, .linearizable, watch: false)
        ),
        (
            "backend register app web-7 10.0.0.9:80 --weight 3",
            .register(
                standard, RegistrationKey(upstream: "app", id: "web-7"),
                Registration(address: SocketAddress("10.0.0.9:80")!, weight: 3, timeToLiveSeconds: 30))
        ),
        (
            "backend deregister app web-7",
            .deregister(standard, RegistrationKey(upstream: "app", id: "web-7"))
        ),
        ("status --stale", .status(standard, .table, .stale, watch: false)),
        ("members list --format json", .listMembers(standard, .json)),
        (
            "members add --id 4 --name gw4 --raft 10.0.0.4:8101 --admin 10.0.0.4:8091",
            .addMember(
                standard, id: 4,
                NewMemberDocument(name: "gw4", raft: "10.0.0.4:8101", admin: "10.0.0.4:8091", votes: true))
        ),
        (
            "members add --id 5 --name gw5 --raft gw5:8101 --admin gw5:8091 --learner --ask 10.0.0.1:8091",
            .addMember(
                AdminAccess(addresses: [.tcp(HostPort(host: "10.0.0.1", port: 8091))], configPath: nil), id: 5,
                NewMemberDocument(name: "gw5", raft: "gw5:8101", admin: "gw5:8091", votes: false))
        ),
        ("members promote gw5", .promoteMember(standard, "gw5")),
        ("members remove 1 --config n.json5", .removeMember(AdminAccess(addresses: nil, configPath: "n.json5"), "1")),
        ("node drain gw1", .drainNode(standard, "gw1")),
        ("node undrain gw1", .undrainNode(standard, "gw1")),
        ("keys list", .listKeys(standard, prefix: "", .table, .linearizable)),
        ("keys list a/ --stale --format json", .listKeys(standard, prefix: "a/", .json, .stale)),
        ("keys get a/b", .getKey(standard, KeyName("a/b")!, .linearizable)),
        ("keys put a b --if-absent", .putKey(standard, KeyName("a")!, .text("b"), .absent)),
        (
            "keys put a --file f --if-revision 3",
            .putKey(standard, KeyName("a")!, .file("f"), .unchangedSince(KeyRevision(3)))
        ),
        ("keys delete a", .deleteKey(standard, KeyName("a")!, .any)),
        ("snapshot save f --stale", .saveSnapshot(standard, file: "f", .stale)),
        ("snapshot show f", .showSnapshot(file: "f")),
        (
            "snapshot restore f --config n.json5 --token t --yes",
            .restoreSnapshot(file: "f", configPath: "n.json5", token: "t", isConfirmed: true)
        ),
        ("force-new-cluster --config n.json5", .forceNewCluster(configPath: "n.json5", isConfirmed: false)),
        ("leader transfer", .transferLeadership(standard, to: nil)),
        ("leader transfer --to gw2", .transferLeadership(standard, to: "gw2")),
        ("config show --stale", .showConfiguration(standard, nil, .stale)),
        ("config show --revision 3", .showConfiguration(standard, Revision(3), .linearizable)),
        ("config history --format json", .listHistory(standard, .json, .linearizable)),
        ("config diff", .compareRevisions(standard, from: nil, to: nil, .linearizable)),
        (
            "config diff --from 2 --to=4",
            .compareRevisions(standard, from: Revision(2), to: Revision(4), .linearizable)
        ),
        ("config diff g.json5 --stale", .compareFile(standard, from: nil, file: "g.json5", .stale)),
        ("config rollback", .rollBack(standard, to: nil, ifRevision: nil)),
        ("config rollback 3 --if-revision 5", .rollBack(standard, to: Revision(3), ifRevision: Revision(5))),
        ("events --follow", .events(standard, .table, .linearizable, follow: true)),
        (
            "config apply g.json5 --if-revision 4",
            .applyConfiguration(standard, file: "g.json5", ifRevision: Revision(4))
        ),
        (
            "backend list --config n.json5",
            .listBackends(AdminAccess(addresses: nil, configPath: "n.json5"), .table)
        ),
        ("backend enable 10.0.0.1:80", .setMode(standard, .enabled, upstream: nil, SocketAddress("10.0.0.1:80")!)),
        ("backend drain a 10.0.0.1:80", .setMode(standard, .draining, upstream: "a", SocketAddress("10.0.0.1:80")!)),
        ("backend disable a [::1]:80", .setMode(standard, .disabled, upstream: "a", SocketAddress("[::1]:80")!)),
    ]

    private static let refused: [(String, String)] = [
        ("statsu", "there is no command \"statsu\"; did you mean status?"),
        ("xyzzy", "there is no command \"xyzzy\"; see `gwnode help`"),
        ("\u{1b}[2J", "there is no command \"\\u{1b}[2J\"; see `gwnode help`"),
        ("config", "config needs one of show, apply, history, diff, rollback"),
        ("config aply f", "there is no command \"config aply\"; did you mean config apply?"),
        ("status --fromat json", "status has no option \"--fromat\"; did you mean --format?"),
        ("status -x", "status has no option \"-x\"; see `gwnode help status`"),
        ("status --format yaml", "--format yaml is unknown; use table or json"),
        ("status --format", "--format needs a value: --format table|json"),
        ("status --format=", "--format needs a value: --format table|json"),
        ("status --watch=1", "--watch takes no value"),
        ("status --watch --watch", "--watch is given twice; give it once"),
        ("status now", "status has no use for \"now\": gwnode status"),
        ("status --admin 8091", "--admin: \"8091\" is not HOST:PORT, as in 127.0.0.1:8091, nor unix:PATH"),
        ("status --admin 127.0.0.1:8091,", "--admin: \"\" is not HOST:PORT, as in 127.0.0.1:8091, nor unix:PATH"),
        ("status --admin a:1 --config b", "--admin and --config exclude each other; give one"),
        ("run", "run needs --config FILE, the node file"),
        ("demo --base-port 80", "--base-port 80 is not a number from 1024 to 65502"),
        ("demo --base-port 65503", "--base-port 65503 is not a number from 1024 to 65502"),
        ("demo-backend --name b1", "demo-backend needs --listen IP:PORT"),
        ("demo-backend --listen here --name b1", "--listen here is not IP:PORT as in 127.0.0.1:9001"),
        ("config apply", "config apply needs more operands: gwnode config apply FILE"),
        ("config apply f --if-revision last", "--if-revision last is not a revision as in `gwnode config history`"),
        ("completions csh", "there are no completions for csh; use one of bash, zsh, fish"),
        ("config rollback first", "REVISION first is not a revision as in `gwnode config history`"),
        ("config diff f --to 3", "--to and FILE exclude each other; give one"),
        ("backend drain", "backend drain needs more operands: gwnode backend drain [UPSTREAM] ADDRESS"),
        ("backend drain app", "app is not an address as in 10.0.0.1:8080 or [fd00::1]:8080"),
        ("members", "members needs one of list, add, promote, remove"),
        ("node", "node needs one of drain, undrain"),
        ("node drain", "node drain needs more operands: gwnode node drain NODE"),
        ("members add --name gw4", "members add needs --id; see `gwnode help members add`"),
        ("members add --id 0 --name gw4", "--id 0 is not a number from 1 to 65535"),
        (
            "members add --id 4 --name gw4 --raft 8101 --admin 10.0.0.4:8091",
            "--raft 8101 is not HOST:PORT, as in 10.0.0.4:8101"
        ),
        ("drill --kind burn", "--kind burn is unknown; use one of kill, stop, cut, transfer"),
        ("drill --count 0", "--count 0 is not a number from 1 to 1000"),
        ("members remove", "members remove needs more operands: gwnode members remove NODE"),
        ("keys put a", "keys put needs either VALUE or --file FILE"),
        ("keys put a b --file f", "keys put needs either VALUE or --file FILE"),
        ("keys put a b --if-absent --if-revision 1", "--if-absent and --if-revision exclude each other; give one"),
        ("help statsu", "there is no command \"statsu\"; did you mean status?"),
    ]

    @Test(arguments: accepted)
    fileprivate func accepts(_ line: String, _ expected: Invocation) throws {
        #expect(try Invocation(words(line)) == expected)
    }

    @Test(arguments: refused)
    fileprivate func refuses(_ line: String, _ message: String) {
        #expect(throws: UsageError(message)) { try Invocation(words(line)) }
    }

    @Test(arguments: CommandName.allCases)
    func everyCommandHasHelpThatFits(_ command: CommandName) throws {
        let text = HelpText.explanation(of: command)
        #expect(text.hasPrefix("gwnode \(command.rawValue)"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
        #expect(HelpText.overview.contains(command.syntax.summary))
    }

    @Test(arguments: CommandName.allCases)
    func everyExampleIsAccepted(_ command: CommandName) throws {
        for example in command.syntax.examples {
            let line = example.line.prefix { $0 != ">" }
            _ = try Invocation(Array(words(String(line)).dropFirst()))
        }
    }
}
