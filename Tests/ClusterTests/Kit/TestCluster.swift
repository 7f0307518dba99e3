import FoundationEssentials
import Glibc
import Posix
import Testing

/// A cluster of real `gwnode` processes on loopback, with sample backends, in a directory of its own.
final class TestCluster {
    static let binary: String = {
        guard let path = getenv("GWNODE_BINARY") else {
            preconditionFailure("set GWNODE_BINARY to the gwnode binary under test; `make test` does")
        }
        return String(cString: path)
    }()

    struct Node {
        var id: Int
        var proxy: SocketAddress
        var admin: SocketAddress
        var raft: SocketAddress
        var process: ChildProcess?
    }

    struct Backend {
        var name: String
        var address: SocketAddress
        var process: ChildProcess?
    }

    /// The profile of the nodes' `timing`: with `cautious` a busy machine does not elect needlessly.
    enum Timing: String { case lan, cautious }

    let directory: String
    let timing: Timing
    let virtualAddress: SocketAddress
    private(set) var nodes: [Node]
    private(set) var backends: [Backend]

    /// Starts the backends and all nodes, and waits until the virtual address is served.
    init(nodes count: Int = 3, backends backendCount: Int = 3, timing: Timing = .cautious) throws {
        self.timing = timing
        let ports = freePorts(count * 3 + backendCount + 1)
        directory = try TestCluster.makeDirectory()
        // A virtual address of its own in 127.0.0.0/8 keeps two test runs on one machine apart.
        let host = "127.\(UInt8.random(in: 1...254)).\(UInt8.random(in: 1...254)).\(UInt8.random(in: 1...254))"
        virtualAddress = SocketAddress("\(host):\(ports[0])")!
        func local(_ index: Int) -> SocketAddress { SocketAddress("127.0.0.1:\(ports[index])")! }
        nodes = (0..<count).map {
            Node(id: $0 + 1, proxy: local(1 + 3 * $0), admin: local(2 + 3 * $0), raft: local(3 + 3 * $0))
        }
        backends = (0..<backendCount).map { Backend(name: "b\($0 + 1)", address: local(1 + 3 * count + $0)) }
        try writeConfiguration()
        for index in backends.indices { try startBackend(index) }
        for node in nodes { try start(node.id) }
        try waitUntilServing()
    }

    deinit {
        for node in nodes { end(node.process) }
        for backend in backends { end(backend.process) }
        _ = try? FileManager.default.removeItem(atPath: directory)
    }

    private func end(_ process: ChildProcess?) {
        process?.signal(SIGKILL)
        _ = process?.wait()
    }

    // MARK: Processes

    func start(_ id: Int) throws {
        let log = open("\(directory)/gw\(id).log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        let descriptor = FileDescriptor(owning: log)
        nodes[id - 1].process = try ChildProcess(
            TestCluster.binary, ["run", "--config", "\(directory)/gw\(id).json5"], output: descriptor.raw)
    }

    /// Kills a node as a crash would, and waits until the kernel has closed what it held.
    func kill(_ id: Int, signal: Int32 = SIGKILL) {
        nodes[id - 1].process?.signal(signal)
        _ = nodes[id - 1].process?.wait()
        nodes[id - 1].process = nil
    }

    /// Makes room for one more node, whose file is still to be written.
    func prepareNode(_ id: Int) throws {
        try #require(id == nodes.count + 1)
        let addresses = freePorts(3).map { SocketAddress("127.0.0.1:\($0)")! }
        nodes.append(Node(id: id, proxy: addresses[0], admin: addresses[1], raft: addresses[2]))
    }

    /// How node `id` ended by itself; nil when it does not.
    func waitForEnd(of id: Int) -> ChildProcess.End? {
        let end = eventually { nodes[id - 1].process?.poll() }
        if end != nil { nodes[id - 1].process = nil }
        return end
    }

    /// Kills without waiting for anything: the clock of a failover begins here.
    func killAtOnce(_ id: Int) { nodes[id - 1].process?.signal(SIGKILL) }

    func startBackend(_ index: Int) throws {
        let backend = backends[index]
        backends[index].process = try ChildProcess(
            TestCluster.binary, ["demo-backend", "--listen", "\(backend.address)", "--name", backend.name])
        let answered = eventually { try? BlockingClient.get(backend.address) }
        try #require(answered?.status == 200, "the sample backend answers")
    }

    func killBackend(_ index: Int) {
        end(backends[index].process)
        backends[index].process = nil
    }

    // MARK: What a user sees

    /// The status as node `id` tells it; nil when it does not answer.
    func status(of id: Int) -> StatusView? {
        guard let response = try? BlockingClient.get(nodes[id - 1].admin, "/v1/status"), response.status == 200 else {
            return nil
        }
        return try? JSONDecoder().decode(StatusView.self, from: Data(response.body.utf8))
    }

    /// The status as any node that runs tells it.
    func status() -> StatusView? {
        for node in nodes where node.process != nil {
            if let status = status(of: node.id) { return status }
        }
        return nil
    }

    func waitUntilServing() throws {
        let holder = eventually { () -> Int? in
            guard let status = status(), let holder = status.virtualAddresses.first?.holder else { return nil }
            guard (try? BlockingClient.get(virtualAddress))?.status == 200 else { return nil }
            return holder
        }
        try #require(holder != nil, "somebody serves the virtual address\n\(logs())")
    }

    /// Waits until every running node names one leader and has applied what was committed when this was called,
    /// whatever is written meanwhile.
    func waitUntilLevel() throws {
        let running = nodes.filter { $0.process != nil }.map(\.id)
        let committed = running.compactMap { status(of: $0) }.flatMap(\.nodes).compactMap(\.commitIndex).max() ?? 0
        let level = eventually { () -> Bool? in
            let views = running.compactMap { status(of: $0) }
            guard views.count == running.count, Set(views.map(\.leader)).count == 1, views[0].leader != nil else {
                return nil
            }
            let rows = views[0].nodes.filter { running.contains($0.id) }
            return rows.allSatisfy { $0.alive && ($0.appliedIndex ?? 0) >= committed } ? true : nil
        }
        try #require(level == true, "all nodes are level\n\(logs())")
    }

    func leader() throws -> Int {
        try #require(eventually { status()?.leader }, "there is a leader\n\(logs())")
    }

    /// Runs the command line against this cluster; the exit status and what it printed.
    /// `ids` are the nodes that it asks, all unless told.
    func run(
        _ arguments: [String], asking ids: [Int]? = nil, program: String = TestCluster.binary
    ) throws -> (status: Int32, output: String) {
        let path = "\(directory)/command-\(UInt64.random(in: 0...UInt64.max)).out"
        let output = FileDescriptor(owning: open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
        let admins = nodes.filter { ids?.contains($0.id) ?? true }.map { "\($0.admin)" }.joined(separator: ",")
        let process = try ChildProcess(
            program, arguments, output: output.raw, environment: ["GWNODE_ADMIN=\(admins)"])
        let end = process.wait()
        let text = try String(decoding: Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        guard case .exited(let status) = end else { return (-1, text) }
        return (status, text)
    }

    /// Starts the command line against this cluster.
    func begin(_ arguments: [String]) throws -> ChildProcess {
        let output = FileDescriptor(owning: open("/dev/null", O_WRONLY | O_CLOEXEC))
        let admins = nodes.map { "\($0.admin)" }.joined(separator: ",")
        return try ChildProcess(
            TestCluster.binary, arguments, output: output.raw, environment: ["GWNODE_ADMIN=\(admins)"])
    }

    /// Kills nodes of this cluster that others started.
    func killStrays() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = pid_t(name), let words = try? readFile("/proc/\(pid)/cmdline", limit: 65536),
                String(decoding: words, as: UTF8.self).contains("\(directory)/gw")
            else { continue }
            _ = Glibc.kill(pid, SIGKILL)
        }
    }

    /// Runs a command again while its answer is that it can be tried again; the exit status and output of the last run.
    func runUntilTaken(_ arguments: [String]) throws -> (status: Int32, output: String) {
        var last = try run(arguments)
        _ = eventually { () -> Bool? in
            guard last.status != 0, last.output.contains("try again") || last.output.contains("tried again"),
                let next = try? run(arguments)
            else { return true }
            last = next
            return nil
        }
        return last
    }

    func log(of id: Int) -> String {
        (try? String(contentsOfFile: "\(directory)/gw\(id).log", encoding: .utf8)) ?? ""
    }

    /// The end of every node's log, for the message of a failed test.
    func logs() -> String {
        nodes.map { node in
            "gw\(node.id):\n" + log(of: node.id).split(separator: "\n").suffix(30).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    // MARK: Files

    private static func makeDirectory() throws -> String {
        var template = Array("/tmp/gwnode-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    private func writeConfiguration() throws {
        for node in nodes { try writeNodeFile(node.id, peers: nodes.map(\.id)) }
        try gatewayFile().write(toFile: "\(directory)/gateway.json5", atomically: false, encoding: .utf8)
    }

    /// `peers` are the ids of the nodes that the file lists; `more` are further members of the object.
    func writeNodeFile(
        _ id: Int, peers: [Int], join: Bool = false, virtualAddress: String = "{ provider: \"loopback\" }",
        more: String = ""
    ) throws {
        let node = nodes[id - 1]
        let list = peers.map { nodes[$0 - 1] }.map {
            "{ id: \($0.id), name: \"gw\($0.id)\", raft: \"\($0.raft)\", admin: \"\($0.admin)\" }"
        }.joined(separator: ", ")
        let text = """
            {
              cluster: "test",
              node: { id: \(id), name: "gw\(id)" },
              dataDirectory: "data/gw\(id)",
              listen: { web: "\(node.proxy)" },
              admin: "\(node.admin)",
              peers: [\(list)],
              join: \(join),
              virtualAddress: \(virtualAddress),
              timing: "\(timing)",
              workers: 2,
              gatewayFile: "gateway.json5",
              \(more)
            }
            """
        try text.write(toFile: "\(directory)/gw\(id).json5", atomically: false, encoding: .utf8)
    }

    /// The gateway file of this cluster: one upstream a algorithm, as in the demo. `comment` makes two files differ.
    func gatewayFile(comment: String = "") -> String {
        let algorithms = ["round-robin", "random", "weighted", "least-connections", "ip-hash"]
        let upstreams = algorithms.map { algorithm in
            let list = backends.enumerated().map { index, backend in
                let weight = algorithm == "weighted" ? ", weight: \(5 - 2 * index)" : ""
                return "{ address: \"\(backend.address)\"\(weight) }"
            }.joined(separator: ", ")
            return """
                { name: "\(algorithm)", algorithm: "\(algorithm)", backends: [\(list)],
                  health: { type: "http", path: "/", interval: "250ms", timeout: "250ms", rise: 1, fall: 3 } }
                """
        }.joined(separator: ",\n")
        let routes = algorithms.map { "{ path: \"/\($0)\", upstream: \"\($0)\" }" }.joined(separator: ", ")
        return """
            // \(comment)
            {
              virtualAddresses: ["\(virtualAddress.ip)"],
              listeners: [{ name: "web", port: \(virtualAddress.port) }],
              routes: [\(routes), { path: "/", upstream: "round-robin" }],
              upstreams: [\(upstreams)],
            }
            """
    }
}
