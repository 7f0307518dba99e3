import Glibc
import Posix
import Testing

extension ClusterTests {
    @Suite struct RegistrationTests {
        /// Asks any node that runs; nil when none takes it now.
        private func register(_ cluster: TestCluster, _ address: SocketAddress) -> String? {
            for node in cluster.nodes where node.process != nil {
                guard var client = try? BlockingClient(node.admin) else { continue }
                let response = try? client.request(
                    "PUT", "/v1/upstreams/round-robin/registrations/web-7",
                    body: "{\"address\": \"\(address)\", \"ttlSeconds\": 8}")
                if let response, response.status == 200 { return response.body }
            }
            return nil
        }

        private func isListed(_ cluster: TestCluster, by node: Int, _ address: SocketAddress) -> Bool {
            guard let upstreams = cluster.status(of: node)?.upstreams else { return false }
            return upstreams[0].backends.contains { $0.address == "\(address)" }
        }

        @Test func aBackendThatRenewsOutlivesTheLeaderAndOneThatDoesNotGoes() throws {
            let cluster = try TestCluster(backends: 2)
            let address = cluster.backends[1].address
            let (removed, output) = try cluster.runUntilTaken(["backend", "remove", "round-robin", "\(address)"])
            try #require(removed == 0, "\(output)")
            let first = eventually { register(cluster, address) }
            try #require(first?.contains("\"renewed\" : false") == true, "\(cluster.logs())")
            // Renewed on the way: the waiting may take longer than its time.
            func eventuallyRenewed(_ condition: () -> Bool) -> Bool? {
                eventually(every: 100) {
                    _ = register(cluster, address)
                    return condition() ? true : nil
                }
            }
            for node in 1...3 { #expect(eventuallyRenewed { isListed(cluster, by: node, address) } == true) }
            let own = cluster.nodes[0].proxy
            #expect(eventuallyRenewed { (try? BlockingClient.get(own))?.fields["x-backend"] == "b2" } == true)

            cluster.kill(try cluster.leader())
            _ = try cluster.leader()
            // Longer than its time, and than what the new leader grants it anew.
            let end = Instant.now() + .seconds(10)
            while Instant.now() < end {
                let renewal = try #require(eventually { register(cluster, address) }, "\(cluster.logs())")
                #expect(renewal.contains("\"renewed\" : true"), "\(renewal)\n\(cluster.logs())")
                usleep(500_000)
            }
            let survivor = try cluster.leader()
            let isGone = eventually { isListed(cluster, by: survivor, address) ? nil : true }
            #expect(isGone == true, "\(cluster.logs())")
            let (_, events) = try cluster.run(["events"])
            #expect(events.contains("registered as web-7, was not heard of in time"), "\(events)")
        }
    }
}
