import Posix
import Testing

extension ClusterTests {
    @Suite struct BackendTests {
        @Test func aKilledBackendCostsNoRequestAndComesBack() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let load = try LoadProbe(cluster.virtualAddress, path: "/round-robin")
            try #require(load.waitForSuccesses(50))
            let killed = cluster.backends[1].address.description
            cluster.killBackend(1)
            for id in 1...3 {
                let reason = eventually {
                    cluster.status(of: id)?.backend(killed, in: "round-robin").flatMap(\.downReason)
                }
                #expect(reason?.isEmpty == false, "node \(id) says why the backend is down")
            }
            try #require(load.waitForSuccesses(50))
            try cluster.startBackend(1)
            for id in 1...3 {
                let healthy = eventually {
                    cluster.status(of: id)?.backend(killed, in: "round-robin")?.healthy == true ? true : nil
                }
                #expect(healthy == true, "node \(id) sees it recovered")
            }
            let again = eventually {
                (try? BlockingClient.get(cluster.virtualAddress, "/round-robin"))?.fields["x-backend"] == "b2" ? 1 : nil
            }
            #expect(again != nil, "it serves again")
            let outcome = load.stop()
            #expect(outcome.failures.isEmpty, "\(outcome.failures)\n\(cluster.logs())")
        }

        @Test func drainSendsNoNewRequestsAndEnableBringsThemBack() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let address = cluster.backends[0].address.description
            #expect(try cluster.runUntilTaken(["backend", "drain", "round-robin", address]).status == 0)
            let drained = eventually { Set(cluster.names(12, "/round-robin")) == ["b2", "b3"] ? true : nil }
            #expect(drained == true)
            func mode() -> String? { cluster.status()?.backend(address, in: "round-robin")?.mode }
            #expect(eventually { mode() == "draining" ? true : nil } == true)
            #expect(try cluster.runUntilTaken(["backend", "enable", "round-robin", address]).status == 0)
            #expect(eventually { Set(cluster.names(12, "/round-robin")) == ["b1", "b2", "b3"] ? true : nil } == true)
        }

        @Test func eachAlgorithmDoesWhatItsNameSays() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let inTurn = cluster.names(9, "/round-robin")
            #expect((3..<9).allSatisfy { inTurn[$0] == inTurn[$0 - 3] } && Set(inTurn).count == 3, "\(inTurn)")
            let weighted = cluster.names(18, "/weighted")
            let shares = ["b1", "b2", "b3"].map { name in weighted.filter { $0 == name }.count }
            #expect(shares == [10, 6, 2], "\(weighted)")
            #expect(Set(cluster.names(10, "/ip-hash")).count == 1)
            #expect(Set(cluster.names(60, "/random")).count == 3)
            #expect(Set(cluster.names(12, "/least-connections")).count == 3)
        }
    }
}

extension StatusView {
    func backend(_ address: String, in upstream: String) -> Backend? {
        upstreams.first { $0.name == upstream }?.backends.first { $0.address == address }
    }
}

extension StatusView.Backend {
    var downReason: String? { healthy ? nil : reason }
}

extension TestCluster {
    /// Which backends answered `count` requests, each on a connection of its own.
    func names(_ count: Int, _ path: String) -> [String] {
        (0..<count).map { _ in (try? BlockingClient.get(virtualAddress, path))?.fields["x-backend"] ?? "nobody" }
    }
}
