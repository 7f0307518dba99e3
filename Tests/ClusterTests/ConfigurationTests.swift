import FoundationEssentials
import Posix
import Testing

extension ClusterTests {
    @Suite struct ConfigurationTests {
        @Test func sixMistakesGiveSixLinesAndChangeNothing() throws {
            let cluster = try TestCluster()
            let before = try #require(cluster.status()).revision
            let broken = """
                {
                  virtualAdresses: ["127.0.0.9"],
                  listeners: [{ name: "web", port: 99999 }],
                  routes: [{ path: "no-slash", upstream: "app" }, { path: "/x", upstream: "nowhere" }],
                  upstreams: [{ name: "app", algorithm: "round-robbin", backends: [{ address: "127.0.0.1" }] }],
                }
                """
            let (status, output) = try cluster.apply(text: broken)
            #expect(status == 1)
            let lines = output.split(separator: "\n")
            #expect(lines.count == 6, "\(output)")
            for line in lines { #expect(line.contains(".json5:") && line.contains(";"), "\(line)") }
            #expect(cluster.status()?.revision == before)
        }

        @Test func aGoodFileIsSeenByAllNodes() throws {
            let cluster = try TestCluster()
            try cluster.waitUntilLevel()
            let before = try #require(cluster.status()).revision
            #expect(try cluster.applyGatewayFile(comment: "good").status == 0)
            for id in 1...3 {
                #expect(eventually { cluster.status(of: id)?.revision == before + 1 ? true : nil } == true)
            }
        }

        @Test func oneCommandTakesAChangeBackOnAllNodes() throws {
            let cluster = try TestCluster()
            #expect(try cluster.applyGatewayFile(comment: "good").status == 0)
            #expect(try cluster.applyGatewayFile(comment: "regretted").status == 0)
            let before = try #require(cluster.status()).revision
            let changed = try cluster.run(["config", "diff"]).output
            #expect(changed.contains("-// good") && changed.contains("+// regretted"), "\(changed)")
            try cluster.waitUntilLevel()
            let start = Instant.now()
            let (status, output) = try cluster.runUntilTaken(["config", "rollback"])
            #expect(status == 0 && output.contains("with the text of revision \(before - 1)"), "\(output)")
            for id in 1...3 {
                let line = "revision \(before + 1) by"
                #expect(eventually { cluster.log(of: id).contains(line) ? true : nil } == true)
            }
            print("rolled back on all three nodes \((Instant.now() - start).milliseconds) ms after the command began")
            for id in 1...3 {
                #expect(eventually { cluster.status(of: id)?.revision == before + 1 ? true : nil } == true)
            }
            #expect(try cluster.run(["config", "show"]).output.contains("// good"))
            #expect(try cluster.run(["config", "history"]).output.contains("back to \(before - 1) (in force)"))
            #expect(try cluster.run(["events"]).output.contains("configuration \(before + 1) applied"))
        }

        @Test func aHundredReloadsUnderLoadFailNoRequest() throws {
            let cluster = try TestCluster(nodes: 1)
            let node = cluster.nodes[0]
            let before = try #require(cluster.status()).revision
            let sockets = listeningSockets(on: node.proxy)
            #expect(!sockets.isEmpty)
            let load = try LoadProbe(node.proxy)
            #expect(load.waitForSuccesses(10))
            for number in 1...100 {
                #expect(try cluster.applyGatewayFile(comment: "\(number)").status == 0)
                let revision = "revision \(before + number) by"
                #expect(eventually { cluster.log(of: 1).contains(revision) ? true : nil } == true, "\(number)")
            }
            #expect(load.waitForSuccesses(10))
            let outcome = load.stop()
            #expect(outcome.failures.isEmpty, "\(outcome.failures.prefix(5))")
            #expect(listeningSockets(on: node.proxy) == sockets)
        }

        @Test func anOlderRevisionIsRefused() throws {
            let cluster = try TestCluster()
            #expect(try cluster.applyGatewayFile(comment: "one", ifRevision: 1).status == 0)
            let (status, output) = try cluster.applyGatewayFile(comment: "two", ifRevision: 1)
            #expect(status == 1 && output.contains("revision"), "\(output)")
            #expect(try cluster.run(["config", "show"]).output.contains("// one"))
        }
    }
}

/// The inodes of the sockets that listen on an IPv4 address: another one would be another socket.
private func listeningSockets(on address: SocketAddress) -> Set<Substring> {
    let table = (try? readFile("/proc/net/tcp", limit: 64 << 20)) ?? []
    let number = String(address.ip.v4.byteSwapped, radix: 16, uppercase: true)
    let port = String(address.port, radix: 16, uppercase: true)
    func padded(_ text: String, _ width: Int) -> String { String(repeating: "0", count: width - text.count) + text }
    let local = "\(padded(number, 8)):\(padded(port, 4))"
    let inodes = String(decoding: table, as: UTF8.self).split(separator: "\n").compactMap { line -> Substring? in
        let columns = line.split(separator: " ")
        // Local address, state (0A: listening) and inode.
        guard columns.count > 9, columns[1] == local, columns[3] == "0A" else { return nil }
        return columns[9]
    }
    return Set(inodes)
}

extension TestCluster {
    func applyGatewayFile(comment: String, ifRevision: Int? = nil) throws -> (status: Int32, output: String) {
        try apply(text: gatewayFile(comment: comment), ifRevision: ifRevision)
    }

    func apply(text: String, ifRevision: Int? = nil) throws -> (status: Int32, output: String) {
        let path = "\(directory)/next.json5"
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return try runUntilTaken(["config", "apply", path] + (ifRevision.map { ["--if-revision", "\($0)"] } ?? []))
    }
}
