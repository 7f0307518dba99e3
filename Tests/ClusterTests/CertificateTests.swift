import Glibc
import Posix
import Testing

extension ClusterTests {
    @Suite struct CertificateTests {
        /// Lets node `id` prove itself with the files of `folder`, or with none.
        private func writeNodeFile(_ cluster: TestCluster, _ id: Int, folder: String?) throws {
            let more = folder.map {
                """
                nodeCertificate: { authority: "secrets/ca.crt", certificate: "\($0)/node-\(id).crt",
                  key: "\($0)/node-\(id).key" },
                """
            }
            try cluster.writeNodeFile(id, peers: cluster.nodes.map(\.id), more: more ?? "")
        }

        private func restart(_ cluster: TestCluster, _ id: Int, folder: String?) throws {
            cluster.kill(id)
            try writeNodeFile(cluster, id, folder: folder)
            try cluster.start(id)
        }

        private func logged(_ cluster: TestCluster, _ id: Int, _ text: String) -> Bool {
            eventually { cluster.log(of: id).contains(text) ? true : nil } == true
        }

        /// The key as node `id` itself has it, without asking the others.
        private func localValue(_ cluster: TestCluster, _ id: Int) -> String? {
            let response = try? BlockingClient.get(cluster.nodes[id - 1].admin, "/v1/keys/color?stale")
            return response?.status == 200 ? response?.body : nil
        }

        @Test func onlyCertifiedNodesTakePart() throws {
            let cluster = try TestCluster()
            let secrets = cluster.directory + "/secrets"
            let rogue = cluster.directory + "/rogue"
            for folder in [secrets, rogue] {
                let (made, said) = try cluster.run(["certificates", "init", "--directory", folder])
                try #require(made == 0, "\(said)")
                let node = cluster.directory + "/gw1.json5"
                let (issued, list) = try cluster.run(["certificates", "issue", node, "--directory", folder])
                try #require(issued == 0, "\(list)")
            }
            for id in 1...3 { cluster.kill(id) }
            for id in 1...3 {
                try writeNodeFile(cluster, id, folder: "secrets")
                let (valid, said) = try cluster.run(["validate", "\(cluster.directory)/gw\(id).json5"])
                #expect(valid == 0, "\(said)")
                try cluster.start(id)
            }
            try cluster.waitUntilServing()
            try cluster.waitUntilLevel()
            #expect(try cluster.runUntilTaken(["keys", "put", "color", "red"]).status == 0)

            // Another authority's node, then one without a certificate, then the right one again.
            try restart(cluster, 3, folder: "rogue")
            #expect(logged(cluster, 1, "its certificate is refused"))
            #expect(logged(cluster, 3, "it refuses this node's certificate: unknown CA"))
            #expect(try cluster.runUntilTaken(["keys", "put", "color", "green"]).status == 0)
            #expect(localValue(cluster, 3) != "green")
            try restart(cluster, 3, folder: nil)
            #expect(logged(cluster, 3, "it does not speak TLS, which this node asks for; see nodeCertificate"))
            #expect(localValue(cluster, 3) != "green")
            try restart(cluster, 3, folder: "secrets")
            #expect(eventually { localValue(cluster, 3) == "green" ? true : nil } == true, "\(cluster.logs())")
        }

        @Test func certificatesAreRenewedWithoutAPause() throws {
            let cluster = try TestCluster()
            let secrets = cluster.directory + "/secrets"
            let issue = ["certificates", "issue", cluster.directory + "/gw1.json5", "--directory", secrets]
            #expect(try cluster.run(["certificates", "init", "--directory", secrets]).status == 0)
            #expect(try cluster.run(issue).status == 0)
            for id in 1...3 { try restart(cluster, id, folder: "secrets") }
            try cluster.waitUntilLevel()

            let (refused, why) = try cluster.run(issue)
            #expect(refused == 1 && why.contains("is there already, and nothing was changed"), "\(why)")
            let (again, whyNot) = try cluster.run(["certificates", "init", "--directory", secrets])
            #expect(again == 1 && whyNot.contains("ca.crt is there already"), "\(whyNot)")
            let (renewed, said) = try cluster.run(issue + ["--renew"])
            #expect(renewed == 0, "\(said)")
            // One that comes back with the new certificate meets nodes that run since before it was made; they look
            // for new files once a second at the most.
            let taken = eventually { () -> Bool? in
                try? restart(cluster, 2, folder: "secrets")
                try? cluster.waitUntilLevel()
                return cluster.log(of: 1).contains("new certificates are in force") ? true : nil
            }
            #expect(taken == true, "\(cluster.logs())")
        }

        @Test func validationNamesTheFileThatIsWrong() throws {
            let cluster = try TestCluster(nodes: 1)
            let node = cluster.directory + "/gw1.json5"
            try writeNodeFile(cluster, 1, folder: "secrets")
            let (missing, line) = try cluster.run(["validate", node])
            #expect(missing == 1 && line.contains("secrets/ca.crt: No such file or directory"), "\(line)")
            cluster.kill(1)
            try cluster.start(1)
            #expect(cluster.waitForEnd(of: 1) == .exited(status: 1))
            #expect(cluster.log(of: 1).contains("secrets/ca.crt"))
        }
    }
}
