import Glibc
import Posix
import Testing

/// Exit code of a node that was removed, as the documentation has it.
private let removedCode: Int32 = 4

private let transfers = 20

extension ClusterTests {
    @Suite struct MembershipTests {
        /// Every original node is replaced, by way of five, while somebody writes.
        @Test func threeNodesGrowToFiveAndShrinkToThreeOthersUnderWriteLoad() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let target = "/v1/backends/random/\(cluster.backends[2].address)"
            let writes = try WriteProbe(cluster.nodes.map(\.admin), target: target)
            try #require(writes.waitForSuccesses(10), "\(cluster.logs())")

            for id in 4...5 { try cluster.join(id) }
            #expect(cluster.memberIDs() == [1, 2, 3, 4, 5])
            for id in 1...2 { try cluster.remove(id, writes) }
            try cluster.join(6)
            try cluster.remove(3, writes)
            writes.use(cluster.running.map(\.admin))
            try #require(writes.waitForSuccesses(10), "\(cluster.logs())")
            let outcome = writes.stop()
            #expect(outcome.failures.isEmpty, "\(outcome.failures)\n\(cluster.logs())")
            print("\(outcome.succeeded) writes succeeded, \(outcome.retryable) were to be repeated")

            #expect(cluster.memberIDs() == [4, 5, 6])
            try cluster.waitUntilLevel()
            #expect(eventually { (try? cluster.run(["status"]))?.status == 0 ? true : nil } == true)
            cluster.kill(try cluster.leader())
            try cluster.waitUntilServing()
        }

        @Test func aRemovedNodeStopsItselfAndStaysHarmless() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let leader = try cluster.leader()
            #expect(try cluster.runUntilTaken(["members", "remove", "gw\(leader)"]).status == 0)
            for _ in 1...2 {
                let end = try #require(cluster.waitForEnd(of: leader), "\(cluster.logs())")
                #expect(end == .exited(status: removedCode))
                #expect(cluster.log(of: leader).split(separator: "\n").last?.contains("was removed") == true)
                try cluster.start(leader)
            }
            _ = cluster.waitForEnd(of: leader)
            try cluster.waitUntilLevel()
            #expect(cluster.memberIDs() == (1...3).filter { $0 != leader })
            let (status, output) = try cluster.add(leader)
            #expect(status == 1 && output.contains("another id"), "\(output)")
        }

        @Test func aLearnerServesButDoesNotVoteUntilItIsPromoted() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            try cluster.join(4, ["--learner"])
            let learner = try #require(cluster.status()?.nodes.first { $0.id == 4 })
            #expect(learner.member == "learner" && learner.transition == nil)
            let served = eventually { (try? BlockingClient.get(cluster.nodes[3].proxy))?.status == 200 ? true : nil }
            #expect(served == true)
            #expect(try cluster.runUntilTaken(["leader", "transfer", "--to", "gw4"]).output.contains("no vote"))
            #expect(try cluster.runUntilTaken(["members", "promote", "gw4"]).status == 0)
            #expect(cluster.waitForStanding(of: 4, "voter"))
            let moved = try cluster.runUntilTaken(["leader", "transfer", "--to", "gw4"])
            #expect(moved.status == 0, "\(moved.output)\n\(cluster.logs())")
            #expect(eventually { cluster.status()?.leader == 4 ? true : nil } == true)
        }

        @Test func aDrainedNodeGivesLeadershipAwayAndDoesNotTakeItBack() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let drained = try cluster.leader()
            let (status, output) = try cluster.runUntilTaken(["node", "drain", "gw\(drained)"])
            #expect(status == 0 && output.contains("is drained"), "\(output)\n\(cluster.logs())")
            let next = try #require(eventually { cluster.status()?.leader.flatMap { $0 == drained ? nil : $0 } })
            #expect(try cluster.run(["leader", "transfer", "--to", "gw\(drained)"]).output.contains("is drained"))

            // It remembers over a restart.
            cluster.kill(drained, signal: SIGTERM)
            try cluster.start(drained)
            try cluster.waitUntilLevel()
            let row = cluster.status(of: drained)?.nodes.first { $0.id == drained }
            #expect(row?.drained == true)
            let admin = cluster.nodes[drained - 1].admin
            let isUnready = eventually { (try? BlockingClient.get(admin, "/readyz"))?.status == 503 ? true : nil }
            #expect(isUnready == true)
            let page = try BlockingClient.get(admin, "/metrics").body
            #expect(page.contains("\ngwnode_drained 1\n"))

            // Of the two that are left, the one that is not drained leads.
            cluster.kill(next)
            let third = try #require([1, 2, 3].first { $0 != drained && $0 != next })
            let heir = eventually { cluster.status(of: third)?.leader.flatMap { $0 == next ? nil : $0 } }
            #expect(heir == third, "\(cluster.logs())")
            try cluster.start(next)
            try cluster.waitUntilLevel()
            #expect(try cluster.runUntilTaken(["node", "undrain", "gw\(drained)"]).status == 0)
            let moved = try cluster.runUntilTaken(["leader", "transfer", "--to", "gw\(drained)"])
            #expect(moved.status == 0, "\(moved.output)")
        }

        @Test func leadershipMovesOnRequestAndClientsHardlyNotice() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let load = try LoadProbe(cluster.virtualAddress)
            try #require(load.waitForSuccesses(20))
            for round in 1...transfers {
                let leader = try cluster.leader()
                let heir = leader % 3 + 1
                let (status, output) = try cluster.runUntilTaken(["leader", "transfer", "--to", "gw\(heir)"])
                try #require(status == 0, "round \(round): \(output)\n\(cluster.logs())")
                try #require(load.waitForSuccesses(20))
                #expect(eventually { cluster.status()?.leader == heir ? true : nil } == true)
            }
            let outcome = load.stop()
            print("leadership moved \(transfers) times: longest outage \(outcome.longestGap.milliseconds) ms")
        }
    }
}

extension TestCluster {
    var running: [Node] { nodes.filter { $0.process != nil } }

    func memberIDs() -> [Int] { status()?.nodes.map(\.id) ?? [] }

    func add(_ id: Int, _ options: [String] = []) throws -> (status: Int32, output: String) {
        let node = nodes[id - 1]
        let addresses = ["--raft", "\(node.raft)", "--admin", "\(node.admin)"]
        return try runUntilTaken(["members", "add", "--id", "\(id)", "--name", "gw\(id)"] + addresses + options)
    }

    /// Adds node `id` to the running cluster and starts it; returns when it is what it shall be.
    func join(_ id: Int, _ options: [String] = []) throws {
        let present = running.map(\.id)
        if nodes.count < id { try prepareNode(id) }
        let (status, output) = try add(id, options)
        try #require(status == 0, "\(output)\n\(logs())")
        try writeNodeFile(id, peers: present + [id], join: true)
        try start(id)
        let standing = options.contains("--learner") ? "learner" : "voter"
        try #require(waitForStanding(of: id, standing), "node \(id) becomes a \(standing)\n\(logs())")
        try waitUntilLevel()
    }

    func waitForStanding(of id: Int, _ standing: String) -> Bool {
        let isThere = eventually { () -> Bool? in
            guard let node = status()?.nodes.first(where: { $0.id == id }), node.alive else { return nil }
            return node.member == standing && node.transition == nil ? true : nil
        }
        return isThere == true
    }

    /// Removes node `id` and waits until its process has ended by itself.
    func remove(_ id: Int, _ writes: WriteProbe) throws {
        writes.use(running.filter { $0.id != id }.map(\.admin))
        let (status, output) = try runUntilTaken(["members", "remove", "gw\(id)"])
        try #require(status == 0, "\(output)\n\(logs())")
        try #require(waitForEnd(of: id) == .exited(status: removedCode), "\(logs())")
    }
}
