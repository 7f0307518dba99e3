import Glibc
import Posix
import Testing

extension ClusterTests {
    @Suite struct KeyTests {
        private func eventuallyRead(_ cluster: TestCluster, _ id: Int, _ key: String) -> String? {
            eventually {
                let response = try? BlockingClient.get(cluster.nodes[id - 1].admin, "/v1/keys/\(key)")
                return response?.status == 200 ? response?.body : nil
            }
        }

        @Test func aLockIsTakenOnceSeenByAllAndOutlivesAllNodes() throws {
            let cluster = try TestCluster()
            let (taken, first) = try cluster.run(["keys", "put", "deploy/lock", "alice", "--if-absent"])
            try #require(taken == 0, "\(first)")
            let (refused, second) = try cluster.run(["keys", "put", "deploy/lock", "bob", "--if-absent"])
            #expect(refused == 1 && second.contains("exists, at revision 1"), "\(second)")
            for id in 1...3 { #expect(eventuallyRead(cluster, id, "deploy/lock") == "alice") }

            for id in 1...3 { cluster.kill(id) }
            for id in 1...3 { try cluster.start(id) }
            try cluster.waitUntilServing()
            for id in 1...3 { #expect(eventuallyRead(cluster, id, "deploy/lock") == "alice") }
            let listed = try cluster.run(["keys", "list", "deploy/", "--format", "json"])
            #expect(listed.status == 0 && listed.output.contains("\"deploy/lock\""), "\(listed.output)")
            let wrong = try cluster.run(["keys", "delete", "deploy/lock", "--if-revision", "7"])
            #expect(wrong.status == 1, "\(wrong.output)")
            #expect(try cluster.run(["keys", "delete", "deploy/lock", "--if-revision", "1"]).status == 0)
            #expect(try cluster.run(["keys", "get", "deploy/lock"]).status == 1)
        }
    }
}
