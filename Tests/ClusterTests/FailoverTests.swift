import Glibc
import Posix
import Testing

extension Tag {
    /// Starts real processes; needs the binary that `make build` makes.
    @Tag static var processes: Self
}

let binaryIsKnown = getenv("GWNODE_BINARY") != nil

/// How often each kill is repeated; `make test` keeps to the number that the project promises.
private let rounds = Int(getenv("GWNODE_ROUNDS").map { String(cString: $0) } ?? "30") ?? 30

extension ClusterTests {
    @Suite struct FailoverTests {
        /// Promise 2 of the design: one dead node of three is a blip.
        @Test func anotherNodeServesTheVirtualAddressAfterTheLeaderIsKilled() throws {
            let cluster = try TestCluster(timing: .lan)
            var gaps: [Double] = []
            for round in 1...rounds {
                try cluster.waitUntilLevel()
                let (applied, text) = try cluster.applyGatewayFile(comment: "round \(round)")
                try #require(applied == 0, "round \(round): \(text)")
                let before = try #require(cluster.status())
                let leader = try cluster.leader()

                let load = try LoadProbe(cluster.virtualAddress)
                try #require(load.waitForSuccesses(20))
                cluster.killAtOnce(leader)
                try #require(load.waitForSuccesses(20), "somebody serves again\n\(cluster.logs())")
                let outcome = load.stop()
                gaps.append(outcome.longestGap.milliseconds)

                cluster.kill(leader)
                let after = try #require(
                    eventually {
                        cluster.status().flatMap { $0.leader != nil && $0.term > before.term ? $0 : nil }
                    }, "round \(round): another node leads in a later term\n\(cluster.logs())")
                #expect(after.leader != leader)
                #expect(after.revision == before.revision, "the committed configuration is there")
                let healthy = after.upstreams.allSatisfy { $0.backends.allSatisfy(\.healthy) }
                #expect(healthy, "health is intact: \(after.upstreams)")

                try cluster.start(leader)
                try cluster.waitUntilLevel()
                let shown = try cluster.run(["config", "show"])
                #expect(shown.status == 0 && shown.output.contains("// round \(round)"))
            }
            gaps.sort()
            print("leader killed \(rounds) times: outage median \(gaps[rounds / 2]) ms, maximum \(gaps[rounds - 1]) ms")
        }

        @Test func aKilledFollowerCostsNoRequest() throws {
            let cluster = try TestCluster()
            for round in 1...rounds {
                try cluster.waitUntilLevel()
                let leader = try cluster.leader()
                let follower = (1...3).filter { $0 != leader }[round % 2]
                let load = try LoadProbe(cluster.virtualAddress)
                try #require(load.waitForSuccesses(20))
                cluster.kill(follower)
                try #require(load.waitForSuccesses(50))
                try cluster.start(follower)
                try cluster.waitUntilLevel()
                let outcome = load.stop()
                #expect(outcome.failures.isEmpty, "round \(round): \(outcome.failures)\n\(cluster.logs())")
                #expect(try cluster.leader() == leader, "a follower's death elects nobody")
            }
        }

        @Test func withoutAQuorumTheVirtualAddressIsWithdrawnAndTheNodesGoOnServing() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let leader = try cluster.leader()
            let others = (1...3).filter { $0 != leader }
            others.forEach { cluster.kill($0) }

            let withdrawn = eventually { () -> Bool? in
                (try? BlockingClient.get(cluster.virtualAddress, timeoutMilliseconds: 200)) == nil ? true : nil
            }
            #expect(withdrawn == true, "nobody answers on the virtual address")
            let own = try BlockingClient.get(cluster.nodes[leader - 1].proxy)
            #expect(own.status == 200, "the node's own address is served")
            let alone = eventually { () -> StatusView? in
                guard let status = cluster.status(of: leader), !status.quorum, status.leader == nil else { return nil }
                guard status.virtualAddresses[0].holder == nil else { return nil }
                return status.nodes.filter(\.alive).map(\.id) == [leader] ? status : nil
            }
            #expect(alone != nil, "the last node says that it is alone\n\(cluster.logs())")
            #expect(try cluster.run(["status"]).status == 2)

            try cluster.start(others[0])
            try cluster.waitUntilServing()
            let degraded = eventually { (try? cluster.run(["status"]))?.status == 1 ? true : nil }
            #expect(degraded == true, "one node is still missing")
            try cluster.start(others[1])
            try cluster.waitUntilLevel()
            #expect(eventually { (try? cluster.run(["status"]))?.status == 0 ? true : nil } == true)
        }

        @Test func allThreeKilledComeBackWithTheCommittedConfiguration() throws {
            let cluster = try TestCluster()
            let (applied, text) = try cluster.applyGatewayFile(comment: "kept over a blackout")
            try #require(applied == 0, "\(text)")
            let revision = try #require(cluster.status()).revision
            (1...3).forEach { cluster.killAtOnce($0) }
            (1...3).forEach { cluster.kill($0) }
            for id in 1...3 { try cluster.start(id) }
            try cluster.waitUntilServing()
            try cluster.waitUntilLevel()
            for id in 1...3 { #expect(cluster.status(of: id)?.revision == revision) }
            #expect(try cluster.run(["config", "show"]).output.contains("// kept over a blackout"))
        }
    }
}

/// All cluster tests run one after the other: each uses the whole machine.
@Suite(.serialized, .tags(.processes), .enabled(if: binaryIsKnown, "GWNODE_BINARY is not set; use `make test`"))
struct ClusterTests {}
