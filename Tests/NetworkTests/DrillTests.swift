import Namespaces
import Posix
import Testing

/// `gwnode drill` as an operator runs it on one of the nodes, whose admin API no other machine reaches.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct DrillTests {
    /// The second round begins with leadership at another node.
    @Test(arguments: ["cut", "stop", "kill"])
    func breaksAndMendsTheNodeOfThisMachine(kind: String) throws {
        let cluster = try NetworkCluster()
        let node = try cluster.holder()
        for other in cluster.network.nodes { try cluster.waitUntilWell(other) }
        let drill = try cluster.beginOrder(["drill", "--kind", kind, "--count", "2", "--yes"], at: node)
        #expect(drill.wait() == .exited(status: 0), "\(cluster.log("orders"))\n\(cluster.logs())")
        #expect(cluster.log("orders").contains("2 rounds, "))
        for other in cluster.network.nodes { try cluster.waitUntilWell(other) }
        _ = try cluster.holder(otherThan: node)
    }

    @Test func breaksNothingUnasked() throws {
        let cluster = try NetworkCluster()
        let node = try cluster.holder()
        try cluster.waitUntilWell(node)
        let drill = try cluster.beginOrder(["drill", "--kind", "kill"], at: node)
        #expect(drill.wait() == .exited(status: 1))
        #expect(cluster.log("orders").contains("add --yes to do it"), "\(cluster.log("orders"))")
        #expect(try cluster.holder() == node)
    }
}
