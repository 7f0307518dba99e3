import FoundationEssentials
import Glibc
import Posix
import Testing

extension ClusterTests {
    /// Virtual addresses that are spread over the nodes.
    @Suite struct SpreadTests {
        @Test func eachNodeHoldsOneAndOthersTakeThoseOfADeadOne() throws {
            let cluster = try TestCluster()
            let addresses = try spread(over: cluster)
            try waitUntilBalanced(cluster, addresses, over: [1, 2, 3])

            let leader = try cluster.leader()
            let follower = (1...3).first { $0 != leader }!
            for victim in [follower, leader] {
                cluster.kill(victim)
                try waitUntilHeld(cluster, addresses, by: Set([1, 2, 3]).subtracting([victim]))
                try cluster.start(victim)
                try waitUntilBalanced(cluster, addresses, over: [1, 2, 3])
            }
        }

        @Test func aDrainedNodeHoldsNoneAndWithoutTheOptionTheLeaderHasAll() throws {
            let cluster = try TestCluster()
            let addresses = try spread(over: cluster)
            try waitUntilBalanced(cluster, addresses, over: [1, 2, 3])

            let leader = try cluster.leader()
            let follower = (1...3).first { $0 != leader }!
            let drained = try cluster.runUntilTaken(["node", "drain", "gw\(follower)"])
            #expect(drained.status == 0, "\(drained.output)")
            try waitUntilHeld(cluster, addresses, by: Set([1, 2, 3]).subtracting([follower]))

            try apply(cluster, "virtualAddresses: [\(list(addresses))]")
            let isBack = eventually { () -> Bool? in
                guard let status = cluster.status(), let leader = status.leader else { return nil }
                return status.virtualAddresses.allSatisfy { $0.holder == leader } ? true : nil
            }
            #expect(isBack == true, "the leader holds all\n\(cluster.logs())")
        }

        private func spread(over cluster: TestCluster) throws -> [IPAddress] {
            let first = cluster.virtualAddress.ip
            let addresses = (0..<3).map { IPAddress(high: first.high, low: first.low ^ (UInt64($0) << 1)) }
            try apply(cluster, "virtualAddresses: [\(list(addresses))], spreadVirtualAddresses: true")
            return addresses
        }

        private func list(_ addresses: [IPAddress]) -> String {
            addresses.map { "\"\($0)\"" }.joined(separator: ", ")
        }

        private func apply(_ cluster: TestCluster, _ line: String) throws {
            let former = "virtualAddresses: [\"\(cluster.virtualAddress.ip)\"]"
            let text = cluster.gatewayFile(comment: line).replacing(former, with: line)
            let path = "\(cluster.directory)/spread.json5"
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            let applied = try cluster.runUntilTaken(["config", "apply", path])
            try #require(applied.status == 0, "\(applied.output)")
        }

        /// Each of `nodes` holds one, and serves it.
        private func waitUntilBalanced(_ cluster: TestCluster, _ addresses: [IPAddress], over nodes: Set<Int>) throws {
            let isBalanced = eventually { Set(holders(cluster).compactMap(\.self)) == nodes ? true : nil }
            try #require(isBalanced == true, "\(holders(cluster))\n\(cluster.logs())")
            try checkServed(cluster, addresses)
        }

        /// Some of `nodes` hold all.
        private func waitUntilHeld(_ cluster: TestCluster, _ addresses: [IPAddress], by nodes: Set<Int>) throws {
            let isHeld = eventually { () -> Bool? in
                let found = holders(cluster)
                return found.count == addresses.count && found.allSatisfy { $0.map(nodes.contains) ?? false }
                    ? true : nil
            }
            try #require(isHeld == true, "\(holders(cluster))\n\(cluster.logs())")
            try checkServed(cluster, addresses)
        }

        private func holders(_ cluster: TestCluster) -> [Int?] {
            cluster.status()?.virtualAddresses.map(\.holder) ?? []
        }

        private func checkServed(_ cluster: TestCluster, _ addresses: [IPAddress]) throws {
            for address in addresses {
                let service = SocketAddress(ip: address, port: cluster.virtualAddress.port)
                let isServed = eventually { (try? BlockingClient.get(service))?.status == 200 ? true : nil }
                try #require(isServed == true, "\(service) is served\n\(cluster.logs())")
            }
        }
    }
}
