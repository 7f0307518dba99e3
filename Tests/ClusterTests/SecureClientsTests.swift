import FoundationEssentials
import Glibc
import Posix
import Testing

extension ClusterTests {
    /// Clients of the kind that operators have: OpenSSL's own.
    @Suite struct SecureClientsTests {
        /// A cluster whose nodes serve HTTPS, and the port of that.
        private func cluster() throws -> (TestCluster, port: UInt16) {
            let cluster = try TestCluster()
            let ports = freePorts(4)
            let secrets = cluster.directory
            let made = try shell(
                cluster,
                """
                openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=shop.test \
                  -keyout \(secrets)/shop.key -out \(secrets)/shop.crt && chmod 600 \(secrets)/shop.key
                """)
            try #require(made.status == 0, "\(made.output)")
            let tls = "{ certificates: [{ certificate: \"\(secrets)/shop.crt\", key: \"\(secrets)/shop.key\" }] }"
            let text = cluster.gatewayFile().replacing(
                "listeners: [", with: "listeners: [{ name: \"secure\", port: \(ports[3]), tls: \(tls) }, ")
            let file = "\(cluster.directory)/secure.json5"
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            let (applied, said) = try cluster.runUntilTaken(["config", "apply", file])
            try #require(applied == 0, "\(said)")
            return (cluster, ports[3])
        }

        private func shell(_ cluster: TestCluster, _ script: String) throws -> (status: Int32, output: String) {
            try cluster.run(["-c", script], program: "/bin/sh")
        }

        /// What `openssl s_client` says of a connection to the virtual address on which it makes one request.
        private func connect(_ cluster: TestCluster, port: UInt16, _ options: String) throws -> String {
            try shell(
                cluster,
                """
                printf 'GET /round-robin HTTP/1.1\\r\\nHost: shop.test\\r\\nConnection: close\\r\\n\\r\\n' | \
                  timeout 20 openssl s_client -connect \(cluster.virtualAddress.ip):\(port) -ign_eof \
                  -CAfile \(cluster.directory)/shop.crt -servername shop.test \(options) 2>&1
                """
            ).output
        }

        @Test(arguments: ["-tls1_2", "-tls1_3"])
        func sessionIsResumedAtTheNextHolder(version: String) throws {
            let (cluster, port) = try cluster()
            let session = "\(cluster.directory)/session"
            let first = eventually { () -> String? in
                let said = try? connect(cluster, port: port, "\(version) -sess_out \(session)")
                return said?.contains("HTTP/1.1 200 OK") == true ? said : nil
            }
            #expect(first?.contains("Verify return code: 0 (ok)") == true, "\(first ?? cluster.logs())")
            // The nodes have a key of the cluster a moment after the configuration.
            for id in 1...3 {
                let hasKey = eventually { cluster.log(of: id).contains("session tickets have a new key") ? true : nil }
                #expect(hasKey == true, "\(cluster.logs())")
            }
            _ = try connect(cluster, port: port, "\(version) -sess_out \(session)")
            let holder = try #require(cluster.status()?.virtualAddresses.first?.holder)
            cluster.kill(holder)
            try cluster.waitUntilServing()
            let resumed = eventually { () -> String? in
                let said = try? connect(cluster, port: port, "\(version) -sess_in \(session)")
                return said?.contains("HTTP/1.1 200 OK") == true ? said : nil
            }
            #expect(resumed?.contains("Reused, TLSv1") == true, "\(resumed ?? cluster.logs())")
        }

        @Test func certificateThatCanNotBeUsedIsRefusedAndNamed() throws {
            let (cluster, _) = try cluster()
            let before = try #require(cluster.status()?.revision)
            let file = "\(cluster.directory)/secure.json5"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let wrong = [
                ("shop.key", "absent.key", "absent.key"), ("shop.crt", "shop.key", "it is no certificate in PEM"),
            ]
            for (good, bad, said) in wrong {
                try text.replacing(good, with: bad).write(toFile: file, atomically: false, encoding: .utf8)
                for command in [["validate", file], ["config", "apply", file]] {
                    let (status, output) = try cluster.run(command)
                    #expect(status == 1 && output.contains(said), "\(command): \(output)")
                }
            }
            #expect(cluster.status()?.revision == before)
            // Files that are gone later leave in force what there was, until the node is started again.
            unlink("\(cluster.directory)/shop.key")
            for (id, consequence) in [(1, "the former ones stay in force"), (2, "it does not listen")] {
                if id == 2 {
                    cluster.kill(2)
                    try cluster.start(2)
                }
                let said = eventually { () -> String? in
                    let problem = cluster.status(of: 1)?.nodes.first { $0.id == id }?.problems.first
                    return problem?.contains(consequence) == true ? problem : nil
                }
                #expect(
                    said?.contains("listener secure: its certificates can not be used") == true, "\(cluster.logs())")
                #expect(said?.contains("shop.key") == true)
            }
            let (status, shown) = try cluster.run(["status"])
            #expect(status == 1 && shown.contains("gw2: listener secure: its certificates can not be used"), "\(shown)")
        }
    }
}
