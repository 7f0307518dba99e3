import Glibc
import Posix
import Testing

extension ClusterTests {
    @Suite struct AdminSecurityTests {
        /// One node, whose admin API speaks TLS and asks for certificates.
        private func cluster() throws -> TestCluster {
            let cluster = try TestCluster(nodes: 1, backends: 1)
            let node = cluster.directory + "/gw1.json5"
            for folder in ["secrets", "rogue"] {
                let place = ["--directory", "\(cluster.directory)/\(folder)"]
                for command in [["init"], ["issue", node], ["issue", node, "--operator", "anna"]] {
                    let (status, said) = try cluster.run(["certificates"] + command + place)
                    try #require(status == 0, "\(said)")
                }
            }
            cluster.kill(1)
            try cluster.writeNodeFile(
                1, peers: [1],
                more: """
                    adminTls: true,
                    nodeCertificate: { authority: "secrets/ca.crt", certificate: "secrets/node-1.crt",
                      key: "secrets/node-1.key" },
                    """)
            let (valid, said) = try cluster.run(["validate", node])
            try #require(valid == 0, "\(said)")
            try cluster.start(1)
            return cluster
        }

        private func access(_ cluster: TestCluster, _ folder: String, authority: String = "secrets") -> [String] {
            let place = "\(cluster.directory)/\(folder)/operator-anna"
            return [
                "--ca", "\(cluster.directory)/\(authority)/ca.crt", "--certificate", place + ".crt", "--key",
                place + ".key",
            ]
        }

        @Test func onlyWhoIsCertifiedIsHeard() throws {
            let cluster = try cluster()
            let file = ["--config", cluster.directory + "/gw1.json5"]
            let own = eventually { try? cluster.run(["status"] + file).status == 0 ? true : nil }
            #expect(own == true, "the node's own certificate\n\(cluster.logs())")

            let anna = access(cluster, "secrets")
            let (taken, said) = try cluster.run(["keys", "put", "color", "red"] + anna)
            #expect(taken == 0, "\(said)")
            let (applied, output) = try cluster.run(
                ["config", "apply", cluster.directory + "/gateway.json5"] + anna)
            #expect(applied == 0, "\(output)")
            #expect(try cluster.run(["config", "history"] + anna).output.contains("operator anna at 127.0.0.1"))

            let (rogue, why) = try cluster.run(
                ["keys", "put", "color", "green"] + access(cluster, "rogue", authority: "secrets"))
            #expect(rogue == 3 && why.contains("it refuses this node's certificate: unknown CA"), "\(why)")
            let (doubting, whyNot) = try cluster.run(["status"] + access(cluster, "rogue", authority: "rogue"))
            #expect(doubting == 3 && whyNot.contains("its certificate is refused"), "\(whyNot)")
            let (plain, advice) = try cluster.run(["keys", "put", "color", "green"])
            #expect(plain == 1 && advice.contains("this admin API speaks TLS"), "\(advice)")
            let logged = eventually {
                cluster.log(of: 1).contains("admin: no connection with 127.0.0.1: ") ? true : nil
            }
            #expect(logged == true, "\(cluster.logs())")
            #expect(try cluster.run(["keys", "get", "color"] + anna).output.contains("red"))
        }

        @Test func validationAsksForWhatItTakes() throws {
            let cluster = try TestCluster(nodes: 1, backends: 1)
            let node = cluster.directory + "/gw1.json5"
            try cluster.writeNodeFile(1, peers: [1], more: "adminTls: true,")
            let (status, said) = try cluster.run(["validate", node])
            #expect(status == 1 && said.contains("adminTls: there is no certificate to show"), "\(said)")
            let (usage, line) = try cluster.run(["status", "--ca", "ca.crt"])
            #expect(usage != 0 && line.contains("--ca, --certificate and --key go together"), "\(line)")
        }
    }
}
