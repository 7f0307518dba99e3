import Posix
import Synchronization
import Testing

extension ClusterTests {
    /// One sick backend beside two that are well, and three that refuse everything. All bounds are counts: how long
    /// something takes says more of the machine than of the gateway.
    @Suite struct ResilienceTests {
        private static let clients = 4
        private static let requestsPerClient = 100

        @Test(arguments: [SickBackend.Illness.slow, .resetting, .garbage, .notAccepting])
        func aSickBackendCostsNoRequestAndMeetsFew(illness: SickBackend.Illness) throws {
            let cluster = try TestCluster(nodes: 1, backends: 2)
            let sick = try SickBackend(illness)
            defer { sick.stop() }
            let list = (cluster.backends.map(\.address) + [sick.address]).map { "{ address: \"\($0)\" }" }
            try cluster.serve(
                """
                { name: "app", backends: [\(list.joined(separator: ", "))], health: { type: "none" },
                  timeouts: { connect: "300ms" }, retryPolicy: { tryTimeout: "600ms" },
                  ejection: { time: "5m" } }
                """)
            let answers = try cluster.load(clients: Self.clients, requests: Self.requestsPerClient)
            let wrong = answers.filter { $0 != "b1" && $0 != "b2" }
            #expect(wrong.isEmpty, "answered by the others: \(wrong.prefix(3))\n\(cluster.logs())")
            // Five failures in a row eject it, and each client may have had one more on its way.
            let met = try #require(cluster.metric("gwnode_backend_requests_total", of: sick.address))
            #expect(met >= 1 && met <= 5 + Self.clients, "\(met) of \(answers.count) requests met it")
            #expect(sick.requests <= met)
            let reason = try #require(cluster.status()?.backend("\(sick.address)", in: "app")?.reason)
            // Two workers' failures may have come at one time.
            let isEjected = reason.hasPrefix("ejected: ") && reason.contains(" consecutive failures, the last: ")
            #expect(isEjected || reason.hasPrefix("avoided for a moment: "), "\(reason)")
        }

        @Test func aStormStaysWithinItsBudget() throws {
            let cluster = try TestCluster(nodes: 1, backends: 1)
            let backends = try (0..<3).map { _ in try SickBackend(.refusing) }
            defer { for backend in backends { backend.stop() } }
            let list = backends.map { "{ address: \"\($0.address)\" }" }
            try cluster.serve(
                """
                { name: "app", backends: [\(list.joined(separator: ", "))], health: { type: "none" },
                  retryPolicy: { minimumPerSecond: 0 } }
                """)
            let answers = try cluster.load(clients: Self.clients, requests: 250)
            #expect(answers.allSatisfy { $0 == "status 503" })
            let arrived = backends.reduce(0) { $0 + $1.requests }
            #expect(arrived >= answers.count && arrived * 10 <= answers.count * 12, "\(arrived) of \(answers.count)")
            #expect(cluster.text(of: "/metrics").contains("gwnode_upstream_retries_refused_total{upstream=\"app\"}"))
        }
    }
}

extension TestCluster {
    /// Serves `/` by this one upstream, called `app`.
    fileprivate func serve(_ upstream: String) throws {
        let (status, output) = try apply(
            text: """
                {
                  virtualAddresses: ["\(virtualAddress.ip)"],
                  listeners: [{ name: "web", port: \(virtualAddress.port) }],
                  routes: [{ path: "/", upstream: "app" }],
                  upstreams: [\(upstream)],
                }
                """)
        try #require(status == 0, "\(output)")
        let isServed = eventually { self.status()?.upstreams.first?.name == "app" ? true : nil }
        try #require(isServed == true, "\(logs())")
    }

    /// What `clients` clients at a time got, each for that many requests: the name of the backend, or what went wrong.
    fileprivate func load(clients: Int, requests: Int) throws -> [String] {
        let address = virtualAddress
        let answers = Answers()
        let threads = try (0..<clients).map { _ in
            try Thread(name: "client") {
                for _ in 0..<requests { answers.add(Answers.ask(address)) }
            }
        }
        for thread in threads { thread.join() }
        return answers.all
    }

    fileprivate func text(of path: String) -> String { (try? BlockingClient.get(nodes[0].admin, path))?.body ?? "" }

    /// The value of a metric of one backend.
    fileprivate func metric(_ name: String, of backend: SocketAddress) -> Int? {
        let line = text(of: "/metrics").split(separator: "\n").first {
            $0.hasPrefix(name + "{") && $0.contains("backend=\"\(backend)\"")
        }
        return line?.split(separator: " ").last.flatMap { Int($0) }
    }
}

private final class Answers: Sendable {
    private let list = Mutex<[String]>([])

    var all: [String] { list.withLock { $0 } }

    func add(_ answer: String) { list.withLock { $0.append(answer) } }

    static func ask(_ address: SocketAddress) -> String {
        do throws(BlockingClient.Failure) {
            let response = try BlockingClient.get(address)
            return response.status == 200 ? response.fields["x-backend"] ?? "late" : "status \(response.status)"
        } catch {
            return "\(error)"
        }
    }
}
