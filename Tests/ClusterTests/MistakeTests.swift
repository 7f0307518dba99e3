import FoundationEssentials
import Glibc
import Posix
import Testing

/// One thing that an operator gets wrong, and what gwnode has to say to it.
private struct Mistake: Sendable, CustomStringConvertible {
    enum Place: Sendable {
        /// At a node that works, with the files of `Files`.
        case healthy
        /// The admin API of a node without a quorum is asked.
        case withoutQuorum
        /// As a user who may do nothing.
        case withoutRights
    }

    var description: String
    /// Words in braces stand for what a test run has: `{dir}`, `{admin}`, `{raft}`, `{proxy}`.
    var command: String
    var exits: Int32
    /// Each has to be in the one line that is printed.
    var says: [String]
    var place = Place.healthy

    init(_ what: String, _ command: String, exits: Int32, _ says: String..., at place: Place = .healthy) {
        description = what
        self.command = command
        self.exits = exits
        self.says = says
        self.place = place
    }
}

private let mistakes: [Mistake] = [
    // The command line: 64.
    Mistake("misspelt command", "statsu", exits: 64, "statsu", "did you mean status?"),
    Mistake("misspelt second word", "config aply x", exits: 64, "config aply", "did you mean config apply?"),
    Mistake("half a command", "members", exits: 64, "members needs one of", "add"),
    Mistake("misspelt option", "status --fromat json", exits: 64, "--fromat", "did you mean --format?"),
    Mistake("value of an option missing", "run --config", exits: 64, "--config needs a value", "FILE"),
    Mistake("value of an option unknown", "status --format yaml", exits: 64, "yaml", "table or json"),
    Mistake("option twice", "status --stale --stale", exits: 64, "--stale", "give it once"),
    Mistake("option forgotten", "run", exits: 64, "--config FILE"),
    Mistake("operand forgotten", "config apply", exits: 64, "config apply FILE"),
    Mistake("operand too many", "version now", exits: 64, "\"now\"", "gwnode version"),
    Mistake("no port in an address", "status --admin 127.0.0.1", exits: 64, "127.0.0.1", "HOST:PORT"),
    Mistake("no path of a socket", "status --admin unix:", exits: 64, "\"unix:\"", "nor unix:PATH"),
    Mistake("no address of a backend", "backend drain app app1", exits: 64, "app1", "10.0.0.1:8080"),
    Mistake(
        "time of a registration out of range", "backend register random web-1 127.0.0.1:1 --ttl 1", exits: 64,
        "--ttl 1",
        "from 5 to 3600"),
    Mistake("no revision", "config show --revision latest", exits: 64, "latest", "gwnode config history"),
    Mistake("id out of range", "members add --id 0 --name a --raft a:1 --admin a:2", exits: 64, "--id 0", "from 1 to"),
    Mistake("no key", "keys put /flag on", exits: 64, "/flag", "as in deploy/lock"),
    Mistake("conditions that exclude each other", "keys put a b --if-absent --if-revision 1", exits: 64, "give one"),
    Mistake("port out of range", "demo --base-port 99999", exits: 64, "99999", "1024 to"),
    Mistake("unknown shell", "completions tcsh", exits: 64, "tcsh", "bash, zsh, fish"),

    // Files: 1.
    Mistake("file missing", "run --config {dir}/none.json5", exits: 1, "none.json5", "No such file", "check the path"),
    Mistake("directory for a file", "validate {dir}", exits: 1, "Is a directory", "name a file"),
    Mistake(
        "bad JSON5", "validate {dir}/syntax.json5", exits: 1, "syntax.json5:2:17: syntax:", "expected a comma or `}`"),
    Mistake("binary file", "validate {dir}/binary.json5", exits: 1, "binary.json5:1:1", "save the file in UTF-8"),
    Mistake(
        "gateway file for a node file", "run --config {dir}/gateway.json5", exits: 1, "is a gateway file",
        "name the node file"),
    Mistake(
        "node file for a gateway file", "config apply {dir}/gw1.json5", exits: 1, "is a node file",
        "name the gateway file"),
    Mistake(
        "unknown key", "validate {dir}/key.json5", exits: 1, "key.json5:", "virtualAdresses: unknown key",
        "did you mean \"virtualAddresses\"?"),
    Mistake(
        "unknown upstream in a route", "validate {dir}/route.json5", exits: 1, "route.json5:", "\"nowhere\"", "\"app\""
    ),
    Mistake(
        "unknown engine", "run --config {dir}/engine.json5", exits: 1, "engine.json5:", "\"uring\" is unknown",
        "\"io_uring\""),
    Mistake(
        "bad address", "run --config {dir}/address.json5", exits: 1, "address.json5:", "localhost", "192.0.2.10:8080"),
    Mistake(
        "admin API for everyone", "run --config {dir}/remote.json5", exits: 1, "remote.json5:", "admin:",
        "loopback address"),
    Mistake(
        "rights of a socket that is none", "run --config {dir}/rights.json5", exits: 1, "rights.json5:", "adminSocket:",
        "unix:/run/gwnode/admin.sock"),
    Mistake(
        "path of a socket too long", "run --config {dir}/long.json5", exits: 1, "long.json5:", "admin:", "at most 107"),
    Mistake(
        "unknown format of the log", "run --config {dir}/log.json5", exits: 1, "log.json5:", "logFormat: \"jsno\"",
        "did you mean \"json\"?"),
    Mistake(
        "chosen fields of a format that has its own", "run --config {dir}/fields.json5", exits: 1, "accessLog.fields:",
        "format: \"json\""),
    Mistake(
        "share of the requests out of range", "run --config {dir}/share.json5", exits: 1, "accessLog.successPercent:",
        "\"101\" is out of range", "from 0 to 100"),
    Mistake(
        "scaling by two measures", "validate {dir}/scaling.json5", exits: 1, "scaling.json5:", "upstreams[0].scaling:",
        "one of requestsPerBackend and latency"),
    Mistake(
        "request ID in a field of HTTP's own", "validate {dir}/tracing.json5", exits: 1, "tracing.requestIdField:",
        "\"Host\" has another meaning", "X-Request-Id"),
    Mistake("no snapshot", "snapshot show {dir}/gateway.json5", exits: 1, "no snapshot", "`gwnode snapshot save`"),
    Mistake("place of a snapshot missing", "snapshot save {dir}/none/s", exits: 1, "none/s", "check the path"),
    Mistake(
        "file unreadable", "validate secret.json5", exits: 1, "secret.json5", "give this user the right",
        at: .withoutRights),

    // Starting a node: 1.
    Mistake("node runs already", "run --config {dir}/gw1.json5", exits: 1, "in use by process", "stop it first"),
    Mistake(
        "port in use", "run --config {dir}/port.json5", exits: 1, "bind {raft}", "Address already in use", "ss -lxtnp"),
    Mistake(
        "hook that is not there", "run --config {dir}/hook.json5", exits: 1, "scalingHook.path", "no-hook",
        "No such file",
        "check the path"),
    Mistake(
        "file where the socket shall be", "run --config {dir}/socket.json5", exits: 1, "unix:{dir}/gateway.json5",
        "no socket", "remove it"),
    Mistake(
        "unknown group of the socket", "run --config {dir}/group.json5", exits: 1, "no group nobody-has-this",
        "getent group"),
    Mistake(
        "data of another cluster", "run --config {dir}/cluster.json5", exits: 1, "cluster 'other'", "cluster 'test'",
        "name another dataDirectory"),
    Mistake(
        "no right to the data directory", "run --config public/data.json5", exits: 1, "/root/", "Permission denied",
        "give this user the right", at: .withoutRights),
    Mistake(
        "forced while it runs", "force-new-cluster --config {dir}/gw1.json5 --yes", exits: 1, "in use by process"),
    Mistake(
        "no data to force", "force-new-cluster --config {dir}/new.json5 --yes", exits: 1, "no data of a node",
        "check dataDirectory"),

    // What the cluster refuses: 1.
    Mistake(
        "older revision", "config apply {dir}/gateway.json5 --if-revision 7", exits: 1, "revision 1, not 7",
        "repeat the change"),
    Mistake("revision not kept", "config rollback 9", exits: 1, "revision 9 is not kept", "1 to 1"),
    Mistake("unknown upstream", "backend drain nope 127.0.0.1:1", exits: 1, "no upstream nope", "random"),
    Mistake("unknown backend", "backend drain random 127.0.0.1:1", exits: 1, "no backend 127.0.0.1:1", "{backend}"),
    Mistake(
        "registration of a configured backend", "backend register random web-1 {backend}", exits: 1,
        "is a configured backend of random already"),
    Mistake("nobody of that name", "backend deregister random web-9", exits: 1, "has no registration web-9"),
    Mistake("unknown member", "members remove gw9", exits: 1, "no node gw9", "gw1 (1)"),
    Mistake("last voter removed", "members remove gw1", exits: 1, "the last voter", "add or promote another"),
    Mistake("member added twice", "members add --id 1 --name x --raft a:1 --admin a:2", exits: 1, "a member already"),
    Mistake("nobody to lead", "leader transfer", exits: 1, "no other voter", "add one first"),
    Mistake("key changed meanwhile", "keys put taken x --if-absent", exits: 1, "taken exists", "revision 1"),

    // Nobody there: 3; no quorum: 2.
    Mistake(
        "nobody listens", "status --admin {free}", exits: 3, "{free}: Connection refused", "--admin or GWNODE_ADMIN"),
    Mistake(
        "no socket", "status --admin unix:{dir}/none.sock", exits: 3, "unix:{dir}/none.sock: No such file", "--admin"),
    Mistake("no admin API", "status --admin {proxy}", exits: 3, "{proxy}", "is --admin or GWNODE_ADMIN right?"),
    Mistake("change without a quorum", "keys put a b", exits: 2, "nothing was changed", "quorum", at: .withoutQuorum),
    Mistake("read without a quorum", "config show", exits: 2, "no quorum", "`--stale`", at: .withoutQuorum),
]

extension ClusterTests {
    @Suite struct MistakeTests {
        @Test func everyMistakeGetsOneClearLineAndTheRightExitCode() throws {
            let cluster = try TestCluster(nodes: 1)
            try cluster.writeMistakenFiles()
            #expect(try cluster.runUntilTaken(["keys", "put", "taken", "yes"]).status == 0)
            // Lists three nodes of which no other ever runs.
            try cluster.prepareNode(2)
            try cluster.prepareNode(3)
            try cluster.writeNodeFile(2, peers: [1, 2, 3])
            try cluster.start(2)
            #expect(eventually { cluster.status(of: 2) } != nil)
            #expect(mistakes.count >= 40)
            for mistake in mistakes {
                let (status, output) = try cluster.make(mistake)
                let lines = output.split(separator: "\n").filter { !isLogLine($0) }
                #expect(status == mistake.exits, "\(mistake): \(output)")
                #expect(lines.count == 1, "\(mistake): \(output)")
                for part in mistake.says {
                    #expect(output.contains(cluster.filled(part)), "\(mistake), \(part): \(output)")
                }
            }
        }

        /// As a started node writes them to the same place.
        private func isLogLine(_ line: Substring) -> Bool { line.contains("Z info ") || line.contains("Z warn ") }
    }
}

extension TestCluster {
    fileprivate func filled(_ text: String) -> String {
        text.replacing("{dir}", with: directory).replacing("{admin}", with: "\(nodes[0].admin)")
            .replacing("{raft}", with: "\(nodes[0].raft)").replacing("{proxy}", with: "\(nodes[0].proxy)")
            .replacing("{backend}", with: "\(backends[0].address)").replacing("{free}", with: "\(nodes[2].admin)")
    }

    fileprivate func make(_ mistake: Mistake) throws -> (status: Int32, output: String) {
        let arguments = filled(mistake.command).split(separator: " ").map(String.init)
        switch mistake.place {
        case .healthy: return try run(arguments, asking: [1])
        case .withoutQuorum: return try run(arguments, asking: [2])
        case .withoutRights: return try runWithoutRights(arguments)
        }
    }

    /// As nobody, where this process may become that; everything else is as for anyone without rights anyway.
    private func runWithoutRights(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let script = """
            cd \(directory)
            if [ $(id -u) = 0 ]; then set -- setpriv --reuid 65534 --clear-groups --inh-caps=-all "$@"; fi
            exec "$@"
            """
        return try run(["-c", script, "sh", "\(directory)/public/gwnode"] + arguments, asking: [1], program: "/bin/sh")
    }

    /// Of the node file `node`, in which `admin` stands, and of the gateway file.
    private func writeMistakenOptions(_ node: String, _ gateway: String, admin: String) throws {
        func write(_ text: String, _ name: String) throws {
            try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
        }
        let free = node.replacing("\(nodes[0].raft)", with: "127.0.0.1:\(freePorts(1)[0])")
        func socket(_ place: String, _ rest: String = "") -> String {
            free.replacing(admin, with: "admin: \"\(place)\", \(rest)\n  peers")
        }
        try write(socket("unix:gateway.json5"), "socket.json5")
        try write(socket("unix:admin.sock", "adminSocket: { group: \"nobody-has-this\" },"), "group.json5")
        try write(socket("127.0.0.1:1", "adminSocket: { mode: \"660\" },"), "rights.json5")
        try write(socket("unix:/" + String(repeating: "a", count: 200)), "long.json5")
        func option(_ text: String, _ name: String) throws {
            try write(node.replacing("workers:", with: "\(text), workers:"), name)
        }
        try option("scalingHook: { path: \"no-hook\" }", "hook.json5")
        let twice = "scaling: { requestsPerBackend: 1, latency: \"1s\", maximum: 2 }"
        try write(
            gateway.replacing("name: \"round-robin\",", with: "name: \"round-robin\", \(twice),"), "scaling.json5")
        try option("logFormat: \"jsno\"", "log.json5")
        try option("accessLog: { to: \"stdout\", fields: [\"status\"] }", "fields.json5")
        try option("accessLog: { to: \"stdout\", successPercent: 101 }", "share.json5")
        try write(
            gateway.replacing("virtualAddresses:", with: "tracing: { requestIdField: \"Host\" }, virtualAddresses:"),
            "tracing.json5")
    }

    fileprivate func writeMistakenFiles() throws {
        func write(_ text: String, _ name: String) throws {
            try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
        }
        let node = try String(contentsOfFile: "\(directory)/gw1.json5", encoding: .utf8)
        let gateway = try String(contentsOfFile: "\(directory)/gateway.json5", encoding: .utf8)
        let elsewhere = node.replacing("data/gw1", with: "data/other")
        try write("{ cluster: \"x\",\n  node: { id: 1 name: \"a\" } }", "syntax.json5")
        try Data([0xff, 0xfe]).write(to: URL(filePath: "\(directory)/binary.json5"))
        try write(gateway.replacing("virtualAddresses:", with: "virtualAdresses:"), "key.json5")
        try write(
            """
            { listeners: [{ name: "web", port: 8080 }], routes: [{ path: "/", upstream: "nowhere" }],
              upstreams: [{ name: "app", backends: [{ address: "127.0.0.1:1" }] }] }
            """, "route.json5")
        try write(elsewhere.replacing("workers:", with: "engine: \"uring\", workers:"), "engine.json5")
        try write(node.replacing("data/gw1", with: "data/none"), "new.json5")
        try write(elsewhere.replacing("web: \"\(nodes[0].proxy)\"", with: "web: \"localhost\""), "address.json5")
        let own = "admin: \"\(nodes[0].admin)\",\n  peers"
        try write(elsewhere.replacing(own, with: "admin: \"0.0.0.0:\(nodes[0].admin.port)\",\n  peers"), "remote.json5")
        try write(elsewhere, "port.json5")
        try writeMistakenOptions(elsewhere, gateway, admin: own)
        try write(
            node.replacing("cluster: \"test\"", with: "cluster: \"other\"").replacing("data/gw1", with: "data/gw0"),
            "cluster.json5")
        try FileManager.default.createDirectory(atPath: "\(directory)/data/gw0", withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: "\(directory)/data/gw1/identity", toPath: "\(directory)/data/gw0/identity")
        // Where a user without rights gets: the binary, and a node file that wants more.
        try FileManager.default.createDirectory(atPath: "\(directory)/public", withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: TestCluster.binary, toPath: "\(directory)/public/gwnode")
        try write(
            node.replacing("data/gw1", with: "/root/gwnode-\(getpid())").replacing(
                "gateway.json5", with: "../gateway.json5"),
            "public/data.json5")
        for name in ["", "/public", "/public/gwnode", "/public/data.json5", "/gateway.json5"] {
            chmod("\(directory)\(name)", 0o755)
        }
        try write(gateway, "secret.json5")
        chmod("\(directory)/secret.json5", 0)
    }
}
