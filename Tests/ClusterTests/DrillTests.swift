import Glibc
import Posix
import Testing

extension ClusterTests {
    /// `gwnode drill` on a cluster like the demo's.
    @Suite struct DrillTests {
        @Test(arguments: ["kill", "stop", "transfer"])
        func breaksMeasuresAndMends(kind: String) throws {
            let cluster = try TestCluster()
            defer { cluster.killStrays() }
            try cluster.waitUntilLevel()
            let before = try #require(cluster.status())
            let drill = try cluster.run(["drill", "--kind", kind, "--count", "2"])
            #expect(drill.status == 0, "\(drill.output)\n\(cluster.logs())")
            #expect(drill.output.contains("2 rounds, "), "\(drill.output)")
            let rounds = drill.output.split(separator: "\n").filter { $0.contains(" -> gw") }
            #expect(rounds.count == 2 && rounds.allSatisfy { $0.contains(" ms ") }, "\(drill.output)")
            // A node that was started again a moment ago may not have heard of the newest term.
            let isLater = eventually { (cluster.status()?.term ?? 0) >= before.term + 2 ? true : nil }
            #expect(isLater == true, "each round elects somebody\n\(cluster.logs())")
            let isMended = eventually { () -> Bool? in
                let nodes = cluster.status()?.nodes ?? []
                return nodes.count == 3 && nodes.allSatisfy(\.alive) ? true : nil
            }
            #expect(isMended == true, "\(cluster.logs())")
        }

        /// ^C in the middle of a round leaves nothing broken.
        @Test func mendsWhenInterrupted() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let pids = try #require(cluster.status()).nodes.compactMap(\.pid)
            #expect(pids.count == 3)
            let drill = try cluster.begin(["drill", "--kind", "stop", "--count", "1000"])
            try #require(eventually { pids.first(where: isStopped) } != nil, "the leader is stopped")
            drill.signal(SIGINT)
            #expect(drill.wait() == .exited(status: 1))
            #expect(eventually { pids.contains(where: isStopped) ? nil : true } == true, "it goes on")
            #expect(eventually { (try? cluster.run(["status"]))?.status == 0 ? true : nil } == true)
        }

        @Test func refusesWhatItCanNotDo() throws {
            let cluster = try TestCluster(nodes: 1)
            let cut = try cluster.run(["drill", "--kind", "kill"])
            #expect(
                cut.status == 1 && cut.output.contains("0 of 1 voters would be left, which is no quorum"),
                "\(cut.output)")
            #expect(try cluster.run(["status"]).status == 0)
        }

        @Test func aDemoHasNoCablesToCut() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let cut = try cluster.run(["drill", "--kind", "cut"])
            #expect(cut.status == 1 && cut.output.contains("these share one machine"), "\(cut.output)")
        }

        private func isStopped(_ pid: Int) -> Bool {
            let text = (try? readFile("/proc/\(pid)/stat", limit: 4096)).map { String(decoding: $0, as: UTF8.self) }
            return text?.contains(") T ") ?? false
        }
    }
}
