import FoundationEssentials
import Glibc
import Posix
import Testing

extension ClusterTests {
    /// The days on which more than one node is lost.
    @Suite struct RecoveryTests {
        @Test func aClusterComesBackFromItsSnapshotAndKeepsOldNodesOut() throws {
            let cluster = try TestCluster()
            #expect(try cluster.applyGatewayFile(comment: "saved").status == 0)
            #expect(try cluster.runUntilTaken(["keys", "put", "flags/checkout", "on"]).status == 0)
            let file = "\(cluster.directory)/backup"
            let saved = try cluster.runUntilTaken(["snapshot", "save", file])
            try #require(saved.status == 0 && saved.output.contains("1 key of cluster test"), "\(saved.output)")
            #expect(try cluster.run(["snapshot", "show", file]).output.contains("members        1, 2, 3"))
            #expect(try cluster.applyGatewayFile(comment: "lost").status == 0)
            for id in 1...3 { cluster.kill(id) }
            for id in 1...3 { try cluster.moveData(of: id, to: "old\(id)") }

            let first = try cluster.restore(1, from: file)
            try #require(first.status == 0, "\(first.output)")
            let token = try #require(first.output.split(separator: " ").drop { $0 != "--token" }.dropFirst().first)
            // One that is restored by itself belongs to no other.
            #expect(try cluster.restore(3, from: file).status == 0)
            #expect(try cluster.restore(2, from: file, ["--token", String(token)]).status == 0)
            for id in 1...3 { try cluster.start(id) }
            try cluster.waitUntilServing()
            #expect(
                eventually { cluster.log(of: 3).contains("must not mix") ? true : nil } == true, "\(cluster.logs())")
            #expect(eventually { (try? cluster.run(["config", "show"]))?.output.contains("// saved") } == true)
            #expect(try cluster.runUntilTaken(["keys", "get", "flags/checkout"]).output.contains("on"))

            // Nor does one that comes back as it was.
            cluster.kill(3)
            try cluster.moveData(of: 3, to: "alone3")
            try cluster.moveData(from: "old3", of: 3)
            try cluster.truncateLog(of: 3)
            try cluster.start(3)
            #expect(
                eventually { cluster.log(of: 3).contains("must not mix") ? true : nil } == true, "\(cluster.logs())")
            #expect(cluster.status(of: 1)?.nodes.first { $0.id == 3 }?.alive == false)

            cluster.kill(3)
            try cluster.moveData(of: 3, to: "old3")
            #expect(try cluster.restore(3, from: file, ["--token", String(token)]).status == 0)
            try cluster.start(3)
            try cluster.waitUntilLevel()
            #expect(cluster.memberIDs() == [1, 2, 3])
        }

        @Test func oneNodeOfThreeGoesOnAloneAndGrowsToThreeAgain() throws {
            let cluster = try TestCluster()
            #expect(try cluster.applyGatewayFile(comment: "kept").status == 0)
            try cluster.waitUntilLevel()
            for id in 2...3 { cluster.kill(id) }
            let force = ["force-new-cluster", "--config", "\(cluster.directory)/gw1.json5"]
            let running = try cluster.run(force + ["--yes"])
            #expect(running.status == 1 && running.output.contains("in use by process"), "\(running.output)")
            cluster.kill(1)
            let warning = try cluster.run(force)
            #expect(warning.status == 1 && warning.output.contains("remove node 2, node 3"), "\(warning.output)")
            let forced = try cluster.run(force + ["--yes"])
            try #require(forced.status == 0, "\(forced.output)")

            try cluster.start(1)
            try cluster.waitUntilServing()
            #expect(eventually { (try? cluster.run(["config", "show"]))?.output.contains("// kept") } == true)
            #expect(eventually { cluster.memberIDs() == [1] ? true : nil } == true, "\(cluster.memberIDs())")
            for id in 4...5 { try cluster.join(id) }
            #expect(cluster.memberIDs() == [1, 4, 5])
            try cluster.waitUntilLevel()

            // One of the lost nodes comes back: it is told, and stops.
            try cluster.start(2)
            #expect(cluster.waitForEnd(of: 2) == .exited(status: 4), "\(cluster.logs())")
            // The new members have their incarnation for good.
            for id in [1, 4, 5] { cluster.kill(id) }
            for id in [1, 4, 5] { try cluster.start(id) }
            try cluster.waitUntilServing()
            try cluster.waitUntilLevel()
        }
    }
}

extension TestCluster {
    fileprivate func restore(
        _ id: Int, from file: String, _ options: [String] = []
    ) throws -> (status: Int32, output: String) {
        try run(["snapshot", "restore", file, "--config", "\(directory)/gw\(id).json5", "--yes"] + options)
    }

    fileprivate func moveData(of id: Int, to name: String) throws {
        try FileManager.default.moveItem(atPath: "\(directory)/data/gw\(id)", toPath: "\(directory)/\(name)")
    }

    fileprivate func moveData(from name: String, of id: Int) throws {
        try FileManager.default.moveItem(atPath: "\(directory)/\(name)", toPath: "\(directory)/data/gw\(id)")
    }

    fileprivate func truncateLog(of id: Int) throws {
        try "".write(toFile: "\(directory)/gw\(id).log", atomically: false, encoding: .utf8)
    }
}
