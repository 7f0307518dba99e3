import FoundationEssentials
import Glibc
import Posix
import Testing

extension ClusterTests {
    @Suite struct ScalingTests {
        /// What the hook wrote: a line for each time it was run.
        private func calls(_ cluster: TestCluster) -> [String] {
            let text = try? String(contentsOfFile: "\(cluster.directory)/calls", encoding: .utf8)
            return text?.split(separator: "\n").map(String.init) ?? []
        }

        private func scaling(_ cluster: TestCluster, seenBy node: Int) -> String? {
            guard var client = try? BlockingClient(cluster.nodes[node - 1].admin) else { return nil }
            let response = try? client.request("GET", "/v1/upstreams/round-robin")
            return response?.status == 200 ? response?.body : nil
        }

        /// Load goes up, the leader's hook is run once, the leader is killed: the next one knows of both.
        @Test func theHookIsRunOnceForADecisionAlsoWhenTheLeaderDies() throws {
            let cluster = try TestCluster()
            let hook = "\(cluster.directory)/hook"
            try "#!/bin/sh\necho \"$@\" >> \(cluster.directory)/calls\necho called\n".write(
                toFile: hook, atomically: false, encoding: .utf8)
            chmod(hook, 0o755)
            for id in 1...3 {
                cluster.kill(id)
                try cluster.writeNodeFile(
                    id, peers: [1, 2, 3], more: "scalingHook: { path: \"hook\", timeout: \"1s\" },")
                try cluster.start(id)
            }
            try cluster.waitUntilServing()
            let policy = "scaling: { requestsPerBackend: 1, minimum: 5, maximum: 9, rise: \"1s\", fall: \"1h\" }"
            let file = cluster.gatewayFile().replacing(
                "name: \"round-robin\",", with: "name: \"round-robin\", \(policy),")
            try #require(file.contains(policy))
            let path = "\(cluster.directory)/scaled.json5"
            try file.write(toFile: path, atomically: false, encoding: .utf8)
            let (status, output) = try cluster.runUntilTaken(["config", "apply", path])
            try #require(status == 0, "\(output)")

            // Three backends without any load are fewer than the minimum.
            #expect(eventually { calls(cluster).isEmpty ? nil : true } == true, "\(cluster.logs())")
            for node in 1...3 {
                let agreed = eventually {
                    scaling(cluster, seenBy: node)?.contains("\"hook\" : \"done\"") == true ? true : nil
                }
                #expect(agreed == true, "\(cluster.logs())")
            }
            #expect(calls(cluster) == ["round-robin 5 1"])
            let leader = try cluster.leader()
            let isSaid = eventually {
                cluster.log(of: leader).contains("scaling: the hook says: called") ? true : nil
            }
            #expect(isSaid == true)
            cluster.kill(leader)
            let next = try #require(eventually { cluster.status()?.leader.flatMap { $0 == leader ? nil : $0 } })
            // Longer than a new leader waits for news of a hook whose end it does not know.
            let begin = Instant.now()
            let isPatient = eventually(within: .seconds(30), every: 200) {
                Instant.now() - begin > .seconds(8) ? true : nil
            }
            #expect(isPatient == true && calls(cluster) == ["round-robin 5 1"])
            #expect(scaling(cluster, seenBy: next)?.contains("\"desired\" : 5") == true)
            let metrics = try BlockingClient.get(cluster.nodes[next - 1].admin, "/metrics").body
            #expect(metrics.contains("gwnode_upstream_desired_backends{upstream=\"round-robin\"} 5"))
            #expect(try cluster.run(["events"], asking: [next]).output.contains("asks for 5 backends, decision 1"))
        }
    }
}
