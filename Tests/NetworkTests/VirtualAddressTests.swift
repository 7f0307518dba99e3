import Glibc
import Namespaces
import Posix
import Testing

@Suite(
    .serialized, .enabled(if: Namespace.obstacle == nil, Comment(rawValue: Namespace.obstacle ?? "")),
    .enabled(if: NetworkCluster.binary != nil, "set GWNODE_BINARY to the gwnode binary; `make test` does"))
struct NetworkTests {
    @Test(arguments: [
        "VirtualAddressTests", "PlannedMoveTests", "OpenConnectionTests", "KilledGatewayTests", "HostDeathTests",
        "FaultTests", "FilterChurnTests", "SpreadTests", "DrillTests",
    ])
    func inANamespace(suite: String) throws {
        let outcome = try Namespace.run(filter: "NetworkTests.\(suite)/", .root)
        #expect(outcome.succeeded && outcome.output.contains(/Test run with [1-9]/), "\(outcome.output)")
    }
}

/// Three gateways, a switch and a client: who has the virtual address, and does the client find it?
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct VirtualAddressTests {
    @Test func stoppedNodePassesTheAddressOn() throws {
        let cluster = try NetworkCluster()
        let former = try cluster.holder()
        cluster.signal(SIGTERM, former)
        cluster.waitForEnd(former)
        _ = try cluster.holder(otherThan: former)
    }

    /// With timing that no busy machine upsets: the address must not move for any other reason.
    @Test func cutCableMovesTheAddressAndMendingDoesNotMoveItBack() throws {
        let cluster = try NetworkCluster(timing: "wan")
        let former = try cluster.holder()
        try cluster.network.cut(former)
        let next = try cluster.holder(otherThan: former)
        try cluster.network.mend(former)
        try cluster.waitUntilWell(former)
        #expect(try cluster.holder() == next)
    }

    /// The lease alone decides here: the isolated node learns nothing, and the others know nothing of it.
    @Test func isolatedNodeGivesTheAddressUpAndAnotherTakesIt() throws {
        let cluster = try NetworkCluster()
        let former = try cluster.holder()
        try cluster.network.isolate(former)
        _ = try cluster.holder(otherThan: former)
    }

    @Test func withoutAQuorumNobodyHoldsTheAddress() throws {
        let cluster = try NetworkCluster()
        let holder = try cluster.holder()
        for node in cluster.network.nodes where node != holder {
            cluster.signal(SIGKILL, node)
            cluster.waitForEnd(node)
        }
        let withdrawn = eventually { () -> Bool? in
            guard let holders = try? cluster.network.holders(of: NetworkCluster.virtualAddress) else { return nil }
            return holders.isEmpty ? true : nil
        }
        #expect(withdrawn == true, "\(cluster.logs())")
        for node in cluster.network.nodes where node != holder { try cluster.start(node) }
        _ = try cluster.holder()
    }
}
