import Glibc
import Posix
import Testing

extension ClusterTests {
    @Suite struct RegistrationTests {
        /// Asks any node that runs; nil when none takes it now.
        private func register(_ cluster: TestCluster, _ address: SocketAddress, as id: String = "web-7") -> String? {
            for node in cluster.nodes where node.process != nil {
                guard var client = try? BlockingClient(node.admin) else { continue }
                let response = try? client.request(
                    "PUT", "/v1/upstreams/round-robin/registrations/\(id)",
                    body: "{\"address\": \"\(address)\", \"ttlSeconds\": 8}")
                if let response, response.status == 200 { return response.body }
            }
            return nil
        }

        /// Nil when the node does not say.
        private func isListed(_ cluster: TestCluster, by node: Int, _ address: SocketAddress) -> Bool? {
            cluster.status(of: node)?.upstreams[0].backends.contains { $0.address == "\(address)" }
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
            for node in 1...3 { #expect(eventuallyRenewed { isListed(cluster, by: node, address) == true } == true) }
            let own = cluster.nodes[0].proxy
            #expect(eventuallyRenewed { (try? BlockingClient.get(own))?.fields["x-backend"] == "b2" } == true)

            // One of the same time that is not renewed: when it goes, what the new leader granted anew is over.
            let silent = SocketAddress("127.0.0.1:1")!
            try #require(eventually { register(cluster, silent, as: "silent") } != nil, "\(cluster.logs())")
            cluster.kill(try cluster.leader())
            let survivor = try cluster.leader()
            var renewals: [String] = []
            let isOver = eventually(within: .seconds(60), every: 100) { () -> Bool? in
                if let renewal = register(cluster, address) { renewals.append(renewal) }
                return isListed(cluster, by: survivor, silent) == false ? true : nil
            }
            #expect(isOver == true, "\(cluster.logs())")
            #expect(!renewals.isEmpty && renewals.allSatisfy { $0.contains("\"renewed\" : true") }, "\(renewals)")
            #expect(isListed(cluster, by: survivor, address) == true, "\(cluster.logs())")

            let isGone = eventually(within: .seconds(60)) {
                isListed(cluster, by: survivor, address) == false ? true : nil
            }
            #expect(isGone == true, "\(cluster.logs())")
            let (_, events) = try cluster.run(["events"])
            #expect(events.contains("registered as web-7, was not heard of in time"), "\(events)")
        }
    }
}
