import Gateway
import Posix
import Raft
import Testing

private let peers = """
    [
        {id: 2, name: 'gw2', raft: 'gw2.example.org:8101', admin: 'gw2.example.org:8091'},
        {id: 1, name: 'gw1', raft: '10.0.0.1:8101', admin: '10.0.0.1:8091'},
        {id: 3, name: 'gw3', raft: '[fd00::3]:8101', admin: '[fd00::3]:8091'},
    ]
    """

/// A file that is right but for the given parts.
private func file(node: String = "{id: 1, name: 'gw1'}", peers: String = peers, rest: String = "") -> String {
    "{cluster: 'c', node: \(node), dataDirectory: 'data', peers: \(peers), \(rest)}"
}

private func read(_ text: String, file: String = "n.json5") throws(ConfigurationProblems) -> NodeConfiguration {
    try NodeConfiguration.read(Array(text.utf8), file: file)
}

/// What is wrong, without the places.
private func problems(in text: String) -> [String] {
    do throws(ConfigurationProblems) {
        _ = try read(text)
        return []
    } catch {
        return error.problems.map { "\($0.path): \($0.wrong); \($0.right)" }
    }
}

@Suite struct NodeFileTests {
    @Test func readsEveryKey() throws {
        let rest = """
            listen: {web: '10.0.0.1:80', 'web.tls': '[fd00::1]:443'}, admin: '10.0.0.1:8091', adminToken: 'token',
            virtualAddress: {provider: 'netlink', interface: 'eth0.7'}, timing: 'cautious',
            gatewayFile: '../gateway.json5', workers: 4, logLevel: 'warning', logFormat: 'json',
            limits: {connections: 9, backendConnections: 8, backlog: 7},
            accessLog: {to: 'file', path: 'log/access.log', format: 'json',
                        fields: ['status', 'requestId'], successPercent: 5}
            """
        let configuration = try read(file(rest: rest), file: "/etc/gwnode/n.json5")
        #expect(configuration.cluster == "c")
        #expect(configuration.node == NodeConfiguration.Identity(id: NodeID(1), name: "gw1"))
        #expect(configuration.dataDirectory == "/etc/gwnode/data")
        #expect(
            configuration.listen == [
                "web": SocketAddress("10.0.0.1:80")!, "web.tls": SocketAddress("[fd00::1]:443")!,
            ])
        #expect(configuration.admin.numericAddress == SocketAddress("10.0.0.1:8091"))
        #expect(configuration.adminToken == "/etc/gwnode/token")
        #expect(configuration.peers.map(\.id) == [NodeID(1), NodeID(2), NodeID(3)])
        #expect(
            configuration.peers.map(\.raft.description) == ["10.0.0.1:8101", "gw2.example.org:8101", "[fd00::3]:8101"])
        #expect(configuration.ownPeer?.name == "gw1")
        #expect(configuration.virtualAddress == .netlink(interface: "eth0.7"))
        #expect(configuration.timing == .cautious)
        #expect(configuration.gatewayFile == "/etc/gwnode/../gateway.json5")
        #expect(configuration.workers == 4)
        #expect(configuration.limits == NodeLimits(connections: 9, backendConnections: 8, backlog: 7))
        #expect(
            configuration.accessLog
                == AccessLogOptions(
                    destination: .file(path: "/etc/gwnode/log/access.log"),
                    content: AccessLogContent(format: .json, fields: [.status, .requestId], successPercent: 5)))
        #expect(configuration.logLevel == .warning)
        #expect(configuration.logFormat == .json)
    }

    @Test func aNodeThatJoinsNeedsSomebodyToFindTheClusterBy() throws {
        #expect(try read(file(rest: "join: true")).join)
        let alone = "[{id: 1, name: 'gw1', raft: '10.0.0.1:8101', admin: '10.0.0.1:8091'}]"
        #expect(
            problems(in: file(peers: alone, rest: "join: true"))
                == ["join: there is no peer to find the cluster by; list the present nodes among the peers"])
    }

    @Test func accessLogIsOffOrGoesSomewhere() throws {
        #expect(try read(file(rest: "accessLog: {to: 'off'}")).accessLog == nil)
        #expect(
            try read(file(rest: "accessLog: {to: 'stdout'}")).accessLog
                == AccessLogOptions(destination: .standardOutput, content: AccessLogContent(format: .combined)))
        #expect(
            problems(in: file(rest: "accessLog: {to: 'file', format: 'xml'}"))
                == [
                    "accessLog.path: missing; use a path of 1 to 1024 bytes",
                    "accessLog.format: \"xml\" is unknown; "
                        + "use one of \"common\", \"combined\", \"json\"",
                ])
        #expect(problems(in: file(rest: "accessLog: {to: 'stderr', path: 'x'}")).count == 1)
    }

    @Test func leftOutKeysHaveSafeDefaults() throws {
        let configuration = try read(file())
        #expect(configuration.listen == [:])
        #expect(configuration.admin.numericAddress == SocketAddress("127.0.0.1:8091"))
        #expect(configuration.adminToken == nil)
        #expect(configuration.virtualAddress == .none)
        #expect(configuration.timing == .lan)
        #expect(configuration.gatewayFile == nil)
        #expect(configuration.workers == nil)
        #expect(configuration.limits == .standard)
        #expect(configuration.accessLog == nil)
        #expect(configuration.logLevel == .info)
        #expect(configuration.dataDirectory == "data")
    }

    @Test(arguments: [
        (file(node: "{id: 4, name: 'gw4'}"), "node.id: there is no peer of id \"4\"; use one of \"1\", \"2\", \"3\""),
        (
            file(node: "{id: 1, name: 'gw2'}"),
            "node: the peer of this id has another name; use the same id and name here and among the peers"
        ),
        (file(node: "{id: 0, name: 'gw1'}"), "node.id: \"0\" is out of range; use a whole number from 1 to 65535"),
        (
            file(
                peers:
                    "[{id: 1, name: 'gw1', raft: 'a:1', admin: 'a:2'}, {id: 2, name: 'gw2', raft: 'A:1', admin: 'b:2'}]"
            ),
            "peers[1].raft: \"a:1\" is here for the second time; the first is on line 1"
        ),
        (
            file(peers: "[{id: 1, name: 'gw1', raft: 'a:1', admin: 'a:1'}]"),
            "peers[0].admin: the same as the raft address; use another port"
        ),
        (
            file(rest: "admin: '0.0.0.0:8091'"),
            "admin: other machines can reach this address, and clients of the admin API need no token; "
                + "use a loopback address, or adminTls: true, or name a token file with adminToken"
        ),
        (
            file(rest: "adminTls: true"),
            "adminTls: there is no certificate to show, and no authority to ask for; "
                + "name both with nodeCertificate; `gwnode certificates` makes them"
        ),
        (
            file(rest: "virtualAddress: {provider: 'netlink'}"),
            "virtualAddress.interface: missing; use an interface such as \"eth0\", of 1 to 15 bytes"
        ),
        (
            file(rest: "virtualAddress: {provider: 'loopback', interface: 'lo'}"),
            "virtualAddress.interface: unknown key; use \"provider\""
        ),
        (
            file(rest: "virtualAddress: {interface: 'lo'}"),
            "virtualAddress.provider: missing; use one of \"loopback\", \"netlink\", \"exec\", \"none\""
        ),
        (
            file(rest: "virtualAddress: {provider: 'netlin', interface: 'eth0'}"),
            "virtualAddress.provider: \"netlin\" is unknown; did you mean \"netlink\"?"
        ),
        (
            file(rest: "listen: {web: 'localhost:80'}"),
            "listen.web: \"localhost\" is a name, and names are not resolved here; "
                + "use an address and port such as \"192.0.2.10:8080\" or \"[2001:db8::10]:8080\""
        ),
        (
            file(rest: "listeners: {web: '10.0.0.1:80'}"), "listeners: unknown key; did you mean \"listen\"?"
        ),
    ])
    func reportsOneProblem(text: String, expected: String) { #expect(problems(in: text) == [expected]) }

    @Test func unreadableRootIsOneProblem() {
        #expect(problems(in: "[]").count == 1)
        #expect(problems(in: "{").first?.hasPrefix("syntax: ") == true)
    }

    @Test func evenNumberOfVotersIsAdvisedAgainst() throws {
        let two = "[{id: 1, name: 'gw1', raft: 'a:1', admin: 'a:2'}, {id: 2, name: 'gw2', raft: 'b:1', admin: 'b:2'}]"
        #expect(
            try read(file(peers: two)).advice
                == ["peers: 2 voters survive no more failures than 1; use 1, 3, 5 or 7"])
        #expect(try read(file()).advice == [])
    }

    @Test func conflictsWithTheGatewayFileAreFound() throws {
        let gateway = GatewayConfiguration(
            virtualAddresses: [IPAddress("192.0.2.1")!], listeners: [Listener(name: "web", port: 8091)], routes: [],
            upstreams: [])
        let rest = "listen: {wbe: '127.0.0.1:80'}, virtualAddress: {provider: 'loopback'}"
        #expect(
            try read(file(rest: rest)).conflicts(with: gateway) == [
                "listen.wbe: the gateway file has no such listener; did you mean \"web\"?",
                "virtualAddresses: 192.0.2.1 can not be held by the loopback provider; "
                    + "use an address of 127.0.0.0/8, or the netlink provider in the node files",
                "listen.web: [::]:8091 is taken by the admin address; use another address or port",
            ])
    }
}
