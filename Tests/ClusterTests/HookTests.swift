import FoundationEssentials
import Glibc
import Posix
import Testing

extension ClusterTests {
    /// Virtual addresses that a command moves: here a file beside the nodes says who has it, as a cloud would.
    @Suite struct HookTests {
        private static let script = """
            #!/bin/sh
            association=$(dirname "$0")/association
            case $1 in
            claim) echo "$GWNODE_NODE_NAME" > "$association.$$" && mv "$association.$$" "$association" ;;
            release) [ "$(cat "$association" 2> /dev/null)" != "$GWNODE_NODE_NAME" ] || rm -f "$association" ;;
            status) [ "$(cat "$association" 2> /dev/null)" = "$GWNODE_NODE_NAME" ] || exit 1 ;;
            esac

            """

        @Test func theAddressFollowsTheLeader() throws {
            let cluster = try TestCluster()
            let hook = "\(cluster.directory)/hook"
            try Self.script.write(toFile: hook, atomically: false, encoding: .utf8)
            chmod(hook, 0o755)
            for node in cluster.nodes {
                cluster.kill(node.id, signal: SIGTERM)
                try cluster.writeNodeFile(
                    node.id, peers: cluster.nodes.map(\.id),
                    virtualAddress: "{ provider: \"exec\", command: \"hook\", statusInterval: \"100ms\" }")
            }
            for node in cluster.nodes { try cluster.start(node.id) }
            let first = try #require(holder(of: cluster), "\(cluster.logs())")
            #expect(cluster.status()?.leader == first)

            cluster.kill(first)
            let second = try #require(holder(of: cluster, otherThan: first), "\(cluster.logs())")

            // Somebody takes it away: the holder finds out, resigns, and whoever leads then claims it.
            try "nobody\n".write(toFile: "\(cluster.directory)/association", atomically: false, encoding: .utf8)
            #expect(holder(of: cluster, otherThan: first) != nil, "\(cluster.logs())")
            #expect(cluster.log(of: second).contains("resigning as leader, something else removed the address"))

            // A stop releases it; alone, the last one has no quorum and may not claim.
            for node in cluster.running { cluster.kill(node.id, signal: SIGTERM) }
            #expect(association(in: cluster) == nil)
        }

        private func association(in cluster: TestCluster) -> String? {
            try? String(contentsOfFile: "\(cluster.directory)/association", encoding: .utf8)
        }

        /// The node that the file and the status name.
        private func holder(of cluster: TestCluster, otherThan former: Int? = nil) -> Int? {
            eventually { () -> Int? in
                guard let holder = cluster.status()?.virtualAddresses.first?.holder, holder != former else {
                    return nil
                }
                return association(in: cluster) == "gw\(holder)\n" ? holder : nil
            }
        }
    }
}
