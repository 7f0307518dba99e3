import FoundationEssentials
import Glibc
import Namespaces
import Posix
import Testing

/// A cluster of real `gwnode` processes, each on a machine of its own, with a virtual address on real interfaces.
final class NetworkCluster {
    static let virtualAddress = "10.77.0.100"
    static let service = SocketAddress("\(virtualAddress):8080")!
    /// The same service on a virtual IPv6 address.
    static let service6 = SocketAddress("[fd77::100]:8080")!
    /// Where a test may serve requests below `/numbered/` itself.
    static let numberedBackend = SocketAddress("\(VirtualNetwork.client):9002")!
    private static let backend = "\(VirtualNetwork.client):9001"

    /// Nil when the tests were not told which binary to test.
    static let binary = getenv("GWNODE_BINARY").map { String(cString: $0) }

    let network: VirtualNetwork
    private let directory: String
    private let timing: String
    private let moveTimeout: String
    private let movesConnections: Bool
    private let addresses: [String]
    private let isSpread: Bool
    private var processes: [Int: ChildProcess] = [:]
    private var backend: ChildProcess?

    /// Starts a backend and all nodes, and waits until the virtual address is served.
    /// `addresses` are the virtual ones.
    init(
        nodes count: Int = 3, timing: String = "cautious", moveTimeout: String = "2s", movesConnections: Bool = true,
        addresses: [String] = [virtualAddress], isSpread: Bool = false, hasNumberedBackend: Bool = false
    ) throws {
        self.addresses = addresses
        self.isSpread = isSpread
        self.timing = timing
        self.moveTimeout = moveTimeout
        self.movesConnections = movesConnections
        network = try VirtualNetwork(nodes: count)
        var template = Array("/tmp/gwnode-network-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        try write("gateway.json5", gatewayFile(hasNumberedBackend: hasNumberedBackend))
        for node in network.nodes { try write("gw\(node).json5", nodeFile(node)) }
        backend = try launch(Self.binary!, ["demo-backend", "--listen", Self.backend, "--name", "b1"], log: "backend")
        for node in network.nodes { try start(node) }
        let first = try holder()
        if hasNumberedBackend { try waitUntilNumberedBackendIsUp(at: first) }
    }

    deinit {
        for process in processes.values + [backend].compactMap(\.self) {
            process.signal(SIGKILL)
            _ = process.wait()
        }
        try? FileManager.default.removeItem(atPath: directory)
    }

    func start(_ node: Int) throws {
        let entry = VirtualNetwork.entry(to: node)
        let arguments = entry.arguments + [Self.binary!, "run", "--config", "\(directory)/gw\(node).json5"]
        processes[node] = try launch(entry.path, arguments, log: "gw\(node)")
    }

    /// Sends a signal and does not wait for what it does.
    func signal(_ number: Int32, _ node: Int) { processes[node]?.signal(number) }

    /// The node's guard, which is a child of its gateway.
    func guardProcess(of node: Int) throws -> pid_t {
        let gateway = try #require(processes[node]?.pid)
        let found = eventually { () -> pid_t? in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return names.compactMap { pid_t($0) }.first { pid in
                let status = (try? readFile("/proc/\(pid)/status", limit: 65536)).map {
                    String(decoding: $0, as: UTF8.self)
                }
                return status?.contains("\nPPid:\t\(gateway)\n") ?? false
            }
        }
        return try #require(found, "gw\(node) has a guard\n\(logs())")
    }

    /// Has other programs of a node's machine change its packet filter: tables come and go, and a set of 4,000 addresses
    /// is replaced as a whole.
    func churnFilters(of node: Int, times: Int) throws -> ChildProcess {
        let elements = (0..<4_000).map { "10.\(100 + $0 >> 16).\($0 >> 8 & 255).\($0 & 255)" }.joined(separator: ", ")
        try write(
            "churn\(node).nft",
            "table ip big\ndelete table ip big\ntable ip big { set s { type ipv4_addr; elements = { \(elements) }; }; }\n"
        )
        let script = """
            for round in $(seq \(times)); do
                for table in 1 2 3 4 5 6; do
                    nft 'add table ip churn; add chain ip churn c { type filter hook input priority 0; }' || exit 1
                    nft delete table ip churn || exit 1
                done
                nft -f \(directory)/churn\(node).nft || exit 1
            done
            """
        let entry = VirtualNetwork.entry(to: node)
        return try launch(entry.path, entry.arguments + ["sh", "-c", script], log: "churn")
    }

    /// A node's machine dies: nothing leaves it any more, and nothing of it is left.
    func crash(_ node: Int) throws {
        try network.cut(node)
        kill(try guardProcess(of: node), SIGKILL)
        signal(SIGKILL, node)
        waitForEnd(node)
        try network.forgetAddresses(of: node)
    }

    /// Hands leadership over, as an operator does.
    func transfer(from node: Int) throws { try order(["leader", "transfer"], at: node) }

    /// Gives an order on a node's machine until it is carried out.
    func order(_ words: [String], at node: Int) throws {
        let isDone = eventually { (try? beginOrder(words, at: node).wait()) == .exited(status: 0) ? true : nil }
        try #require(isDone == true, "\(words)\n\(logs())")
    }

    func beginOrder(_ words: [String], at node: Int) throws -> ChildProcess {
        let entry = VirtualNetwork.entry(to: node)
        let order = entry.arguments + [Self.binary!] + words + ["--admin", "127.0.0.1:8091"]
        return try launch(entry.path, order, log: "orders")
    }

    /// What a node says about itself and the others, as `gwnode status --format json`; nil while it does not.
    func status(of node: Int) -> String? {
        let entry = VirtualNetwork.entry(to: node)
        let question =
            entry.arguments + [Self.binary!, "status", "--format", "json", "--stale", "--admin", "127.0.0.1:8091"]
        guard let answer = try? Program.run("nsenter", question) else { return nil }
        return answer.output
    }

    /// How many connections of a kind `node` reports of itself.
    func movedConnections(_ kind: String, of node: Int) -> Int? {
        struct Document: Decodable {
            struct Node: Decodable {
                var id: Int
                var movedConnections: [String: Int]?
            }
            var nodes: [Node]
        }
        guard let text = status(of: node),
            let document = try? JSONDecoder().decode(Document.self, from: Data(text.utf8))
        else { return nil }
        return document.nodes.first { $0.id == node }?.movedConnections?[kind]
    }

    /// Those that the guard of `node` would pass on now.
    func guardedConnections(of node: Int) -> Int? { metric("client_connections_guarded", of: node) }

    /// Those of other nodes that `node` could go on with now.
    func knownConnections(of node: Int) -> Int? { metric("client_connections_known", of: node) }

    /// Those of a machine that died whose clients `node` told that they ended.
    func endedConnections(of node: Int) -> Int? {
        metric(#"client_connections_rebuilt_total{outcome="ended"}"#, of: node)
    }

    /// As it is now: what the status says may be a second old.
    private func metric(_ name: String, of node: Int) -> Int? {
        let entry = VirtualNetwork.entry(to: node)
        let question = entry.arguments + ["curl", "-sf", "http://127.0.0.1:8091/metrics"]
        let line = (try? Program.run("nsenter", question).output)?
            .split(separator: "\n").first { $0.hasPrefix("gwnode_\(name) ") }
        return line?.split(separator: " ").last.flatMap { Int($0) }
    }

    /// Waits for a signalled node's end.
    func waitForEnd(_ node: Int) { _ = processes.removeValue(forKey: node)?.wait() }

    /// Waits until one node alone has the virtual address and the client is served by it.
    func holder(otherThan former: Int? = nil) throws -> Int {
        let found = eventually { () -> Int? in
            guard let holders = try? network.holders(of: Self.virtualAddress), holders.count == 1,
                holders[0] != former, isServing(), (try? network.neighbour(of: Self.virtualAddress)) == holders[0]
            else { return nil }
            return holders[0]
        }
        return try #require(found, "one node holds the virtual address and serves it\n\(logs())")
    }

    /// A node's first check alone may fail, and decides where no other node has said anything yet.
    private func waitUntilNumberedBackendIsUp(at node: Int) throws {
        let reason = #"[^}]*"reason"\s*:\s*"(connected|up for the cluster)"#
        let up = try Regex(#""address"\s*:\s*"\#(Self.numberedBackend)""# + reason)
        let isUp = eventually { status(of: node)?.contains(up) == true ? true : nil }
        try #require(isUp == true, "gw\(node) finds the numbered backend up\n\(logs())")
    }

    /// The leader, as `node` knows it.
    func leader(asking node: Int) throws -> Int {
        let entry = VirtualNetwork.entry(to: node)
        let question = entry.arguments + [Self.binary!, "status", "--format", "json", "--admin", "127.0.0.1:8091"]
        let found = eventually { () -> Int? in
            let name = "leader-\(UInt64.random(in: 0 ... .max))"
            guard (try? launch(entry.path, question, log: name).wait()) != nil else { return nil }
            return log(name).firstMatch(of: /"leader"\s*:\s*([0-9]+)/).flatMap { Int($0.1) }
        }
        return try #require(found, "gw\(node) knows a leader\n\(logs())")
    }

    /// Waits until `node` itself says that it belongs to a cluster in which all is well.
    func waitUntilWell(_ node: Int) throws {
        let entry = VirtualNetwork.entry(to: node)
        let question = entry.arguments + [Self.binary!, "status", "--admin", "127.0.0.1:8091"]
        let isWell = eventually {
            (try? launch(entry.path, question, log: "status").wait()) == .exited(status: 0) ? true : nil
        }
        try #require(isWell == true, "gw\(node) finds all well\n\(logs())")
    }

    /// Whether a client gets an answer of the backend on the virtual address. A lost SYN is not waited for.
    func isServing() -> Bool { get(Self.service, within: .milliseconds(900)) }

    /// What the nodes logged, for a test that failed.
    func logs() -> String {
        network.nodes.map { "gw\($0):\n\(log("gw\($0)"))" }.joined(separator: "\n")
    }

    /// What a node wrote, or `orders` did.
    func log(_ name: String) -> String {
        (try? String(contentsOfFile: "\(directory)/\(name).log", encoding: .utf8)) ?? "no log"
    }

    private func gatewayFile(hasNumberedBackend: Bool) -> String {
        let route = hasNumberedBackend ? #", { path: "/numbered", upstream: "numbered" }"# : ""
        let upstream =
            hasNumberedBackend
            ? ", { name: \"numbered\", backends: [{ address: \"\(Self.numberedBackend)\" }] }" : ""
        return """
            {
              virtualAddresses: [\(addresses.map { "\"\($0)\"" }.joined(separator: ", "))],
              spreadVirtualAddresses: \(isSpread),
              listeners: [{ name: "web", port: 8080 }],
              routes: [{ path: "/", upstream: "app" }\(route)],
              upstreams: [{ name: "app", backends: [{ address: "\(Self.backend)" }] }\(upstream)],
            }
            """
    }

    private func nodeFile(_ node: Int) -> String {
        let peers = network.nodes.map { peer in
            let host = VirtualNetwork.address(of: peer)
            return "{ id: \(peer), name: \"gw\(peer)\", raft: \"\(host):8101\", admin: \"\(host):8091\" }"
        }
        return """
            {
              cluster: "network-test", node: { id: \(node), name: "gw\(node)" }, dataDirectory: "gw\(node)",
              admin: "127.0.0.1:8091", peers: [\(peers.joined(separator: ", "))], gatewayFile: "gateway.json5",
              virtualAddress: { provider: "netlink", interface: "eth0" }, timing: "\(timing)", workers: 1,
              moveTimeout: "\(moveTimeout)", moveConnections: \(movesConnections),
            }
            """
    }

    private func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
    }

    private func launch(_ path: String, _ arguments: [String], log name: String) throws -> ChildProcess {
        let raw = open("\(directory)/\(name).log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        try #require(raw >= 0)
        let output = FileDescriptor(owning: raw)
        return try ChildProcess(path, arguments, output: output.raw)
    }
}

/// The first answer of `condition`, asked again and again; nil when the time is over.
func eventually<Answer>(
    within limit: Nanoseconds = .seconds(60), every pauseMilliseconds: Int32 = 5, _ condition: () -> Answer?
) -> Answer? {
    let deadline = Instant.now() + limit
    while true {
        if let answer = condition() { return answer }
        if Instant.now() > deadline { return nil }
        _ = poll(nil, 0, pauseMilliseconds)
    }
}

/// Whether `GET /` is answered with 200 within the limit, on a connection of its own.
func get(_ address: SocketAddress, within limit: Nanoseconds) -> Bool {
    let deadline = Instant.now() + limit
    func wait(_ descriptor: Int32, _ events: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&waiting, 1, Int32((deadline - Instant.now()).milliseconds.rounded(.up))) == 1
    }
    guard let socket = try? Socket.startConnecting(to: address), wait(socket.raw, POLLOUT) else { return false }
    let request = Array("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".utf8)
    guard send(socket.raw, request, request.count, Int32(MSG_NOSIGNAL)) == request.count, wait(socket.raw, POLLIN)
    else { return false }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(socket.raw, &buffer, buffer.count, 0)
    return count > 0 && String(decoding: buffer[..<count], as: UTF8.self).hasPrefix("HTTP/1.1 200 ")
}
