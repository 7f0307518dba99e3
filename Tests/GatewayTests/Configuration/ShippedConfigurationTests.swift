import Gateway
import Glibc
import Posix
import Raft
import Testing

/// `cluster-configs/` of the source tree.
private let directory = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/cluster-configs"

private func bytes(of path: String) -> [UInt8] {
    guard let file = fopen("\(directory)/\(path)", "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: JSON5Parser.Limit.bytes)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
}

@Suite struct ShippedConfigurationTests {
    @Test(arguments: [
        "three-node/gw1", "three-node/gw2", "three-node/gw3", "single-node/gw1", "production/gw1", "compose/gw1",
        "compose/gw2", "compose/gw3",
    ])
    func nodeFileIsRightAndFitsItsGatewayFile(name: String) throws {
        let path = "\(name).json5"
        let node = try NodeConfiguration.read(bytes(of: path), file: path)
        let gatewayFile = try #require(node.gatewayFile)
        #expect(gatewayFile == "\(name.split(separator: "/")[0])/gateway.json5")
        let gateway = try GatewayConfiguration.read(bytes(of: gatewayFile), file: gatewayFile)
        #expect(node.conflicts(with: gateway) == [])
        #expect(node.advice == [])
    }

    @Test func threeNodesDifferOnlyInWhoTheyAre() throws {
        let nodes = try (1...3).map { number in
            let path = "three-node/gw\(number).json5"
            return try NodeConfiguration.read(bytes(of: path), file: path)
        }
        #expect(nodes.map(\.node.id) == (1...3).map { NodeID($0) })
        #expect(nodes.map(\.node.name) == ["gw1", "gw2", "gw3"])
        #expect(nodes.map(\.dataDirectory) == (1...3).map { "three-node/data/gw\($0)" })
        #expect(nodes.map { $0.listen["web"] } == (1...3).map { SocketAddress("127.0.0.1:808\($0)") })
        #expect(nodes.map(\.admin) == (1...3).map { AdminPlace(parsing: "127.0.0.1:809\($0)") })
        #expect(nodes.map { $0.ownPeer?.raft.port } == [8101, 8102, 8103])
        #expect(Set(nodes.map(\.peers)).count == 1)
    }

    @Test func threeOfFiveNodesFoundAndTwoJoin() throws {
        let nodes = try (1...5).map { number in
            let path = "five-node/gw\(number).json5"
            return try NodeConfiguration.read(bytes(of: path), file: path)
        }
        let gateway = try GatewayConfiguration.read(bytes(of: "five-node/gateway.json5"), file: "gateway.json5")
        let voters = (1...3).map { NodeID($0) }
        #expect(nodes.map(\.join) == [false, false, false, true, true])
        for (index, node) in nodes.enumerated() {
            let id = NodeID(UInt64(index + 1))
            #expect(node.node.id == id && node.conflicts(with: gateway) == [] && node.advice == [])
            #expect(node.peers.map(\.id) == (voters.contains(id) ? voters : voters + [id]))
        }
    }

    @Test func demoHasARouteForEachAlgorithm() throws {
        let path = "three-node/gateway.json5"
        let gateway = try GatewayConfiguration.read(bytes(of: path), file: path)
        for algorithm in BalancingAlgorithm.allCases {
            let route = try #require(gateway.routes.first { $0.path == "/\(algorithm.rawValue)" })
            let upstream = try #require(gateway.upstreams.first { $0.name == route.upstream })
            #expect(upstream.algorithm == algorithm)
        }
        #expect(gateway.routes.contains { $0.path == "/" })
    }
}
