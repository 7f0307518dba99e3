import Glibc
import Namespaces
import Posix
import Testing

private let reportPrefix = "outage after "

@Suite(
    .enabled(if: Namespace.obstacle == nil, Comment(rawValue: Namespace.obstacle ?? "")),
    .enabled(if: NetworkCluster.binary != nil, "set GWNODE_BINARY to the gwnode binary; `make test` does"))
struct NetworkTests {
    @Test func inNamespaces() throws {
        let outcome = try Namespace.run(filter: "NetworkTests.VirtualAddressTests/", .root)
        #expect(outcome.succeeded && outcome.output.contains(/Test run with [1-9]/), "\(outcome.output)")
        for line in outcome.output.split(separator: "\n") where line.hasPrefix(reportPrefix) { print(line) }
    }
}

/// Three gateways, a switch and a client: who has the virtual address, and does the client find it?
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct VirtualAddressTests {
    /// A client must not be without an answer for longer, however loaded the machine of the test is.
    private static let longestOutage = Nanoseconds.seconds(3)

    private func report(_ what: String, _ outage: Nanoseconds?) {
        print("\(reportPrefix)\(what): \(outage.map { "\($0) without an answer" } ?? "no request failed")")
        #expect(outage ?? .zero < Self.longestOutage)
    }

    @Test func stoppedNodePassesTheAddressOn() throws {
        let cluster = try NetworkCluster()
        let former = try cluster.holder()
        cluster.signal(SIGTERM, former)
        report("SIGTERM", try cluster.outage())
        cluster.waitForEnd(former)
        let next = try cluster.holder(otherThan: former)
        #expect(try cluster.network.neighbour(of: NetworkCluster.virtualAddress) == next)
    }

    @Test func cutCableMovesTheAddressAndMendingDoesNotMoveItBack() throws {
        let cluster = try NetworkCluster()
        let former = try cluster.holder()
        try cluster.network.cut(former)
        report("cable cut", try cluster.outage())
        let next = try cluster.holder(otherThan: former)
        #expect(try cluster.network.neighbour(of: NetworkCluster.virtualAddress) == next)
        try cluster.network.mend(former)
        #expect(eventually(within: .seconds(1)) { cluster.isServing() ? nil : true } == nil, "clients notice nothing")
        #expect(try cluster.holder() == next)
    }

    /// The lease alone decides here: the isolated node learns nothing, and the others know nothing of it.
    @Test func isolatedNodeGivesTheAddressUpBeforeAnotherTakesIt() throws {
        let cluster = try NetworkCluster()
        let former = try cluster.holder()
        let others = cluster.network.nodes.filter { $0 != former }
        try cluster.network.isolate(former)
        let next = eventually {
            others.first { (try? cluster.network.holds($0, NetworkCluster.virtualAddress)) == true }
        }
        let stillHeld = try cluster.network.holds(former, NetworkCluster.virtualAddress)
        #expect(next != nil && !stillHeld, "\(cluster.logs())")
        #expect(try cluster.holder(otherThan: former) == next)
    }

    /// A killed process leaves its address behind until it starts again; clients follow the announcement all the same.
    @Test func killedNodeLosesTheAddress() throws {
        let cluster = try NetworkCluster()
        let former = try cluster.holder()
        cluster.signal(SIGKILL, former)
        report("kill -9", try cluster.outage())
        cluster.waitForEnd(former)
        let followed = eventually { () -> Int? in
            guard let node = try? cluster.network.neighbour(of: NetworkCluster.virtualAddress) else { return nil }
            return node == former || !cluster.isServing() ? nil : node
        }
        let next = try #require(followed, "the client follows\n\(cluster.logs())")
        try cluster.start(former)
        #expect(try cluster.holder() == next)
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
