import Glibc
import Namespaces
import Posix
import Testing

/// Connections of clients that outlive the gateway's process, because its guard has them.
///
/// `GWNODE_CONNECTIONS=3000 GWNODE_MOVES=50` asks for more of them, and for more kills.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct KilledGatewayTests {
    private static let addresses = [NetworkCluster.service, NetworkCluster.service6]
    private static let connections = number("GWNODE_CONNECTIONS") ?? 300
    private static let kills = number("GWNODE_MOVES") ?? 3

    private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

    @Test func idleOnesGoOnAtTheNextHolder() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(addresses: Self.addresses.map(\.ip.description), hasNumberedBackend: true)
        var clients = try IdleClients(Self.connections, to: Self.addresses, IdleClients.Dialect.allCases)
        for round in 1...2 {
            try #require(clients.ask() == [], "\(cluster.logs())")
            let former = try cluster.holder()
            try waitUntilGuarded(Self.connections, by: former, cluster)
            cluster.signal(SIGKILL, former)
            cluster.waitForEnd(former)
            let next = try cluster.holder(otherThan: former)
            let isMoved = eventually {
                cluster.movedConnections("here", of: next).flatMap { $0 >= Self.connections ? true : nil }
            }
            try #require(isMoved == true, "\(cluster.logs())")
            #expect(clients.ask() == [], "\(cluster.logs())")
            print("the longest answer after the death of a process took \(clients.longest)")
            if round == 1 {
                try cluster.start(former)
                try cluster.waitUntilWell(former)
            }
        }
        #expect(backend.problems == [])
    }

    /// Nobody else can take them: the gateway itself does when it is back.
    @Test func idleOnesGoOnWithTheGatewayThatIsStartedAgain() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(
            nodes: 1, addresses: Self.addresses.map(\.ip.description), hasNumberedBackend: true)
        var clients = try IdleClients(Self.connections, to: Self.addresses)
        try #require(clients.ask() == [], "\(cluster.logs())")
        try waitUntilGuarded(Self.connections, by: 1, cluster)
        cluster.signal(SIGKILL, 1)
        cluster.waitForEnd(1)
        try cluster.start(1)
        #expect(clients.ask() == [], "\(cluster.logs())")
        #expect(backend.problems == [])
    }

    /// What the process had begun with dies with it, and the client is told so at once. What it never saw goes along.
    @Test func requestsUnderWayAreReset() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(hasNumberedBackend: true)
        let begun = try #require(BlockingConnection(to: NetworkCluster.service))
        let half = try #require(BlockingConnection(to: NetworkCluster.service))
        let former = try cluster.holder()
        try waitUntilGuarded(2, by: former, cluster)
        #expect(begun.send(NumberedRequest(.silent, 1).bytes))
        #expect(eventually { backend.silent == 1 ? true : nil } == true)
        let request = NumberedRequest(.small, 2)
        #expect(half.send(Array(request.bytes.prefix(10))))
        cluster.signal(SIGKILL, former)
        cluster.waitForEnd(former)
        #expect(begun.receive() == nil && !begun.hasTimedOut, "\(cluster.logs())")
        _ = try cluster.holder(otherThan: former)
        // Whether the process had seen the half nobody knows; the client never waits for nothing.
        if half.send(Array(request.bytes.dropFirst(10))), let answer = half.receive() {
            #expect(NumberedRequest.isSame(answer.body, request.answer))
        }
        #expect(!half.hasTimedOut, "\(cluster.logs())")
        #expect(backend.problems == [])
    }

    /// The guard does not have their connections, and the other nodes have hardly heard of them. What the kernel says as it
    /// closes them is lost, as it is when it comes to that only after the addresses have left the machine.
    @Test(arguments: [1, 3]) func whoConnectedAMomentAgoIsTold(nodes: Int) throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        backend.isSilent = true
        let cluster = try NetworkCluster(
            nodes: nodes, addresses: Self.addresses.map(\.ip.description), hasNumberedBackend: true)
        let former = try cluster.holder()
        var clients = try (0..<70).map { client in
            try #require(RestingClient(to: Self.addresses[client % 2], number: UInt32(client)))
        }
        for client in clients.indices { clients[client].send(.order) }
        try #require(eventually { backend.carriedOut.count == clients.count ? true : nil } == true, "\(cluster.logs())")
        try cluster.network.loseWhatIsSent(by: former, from: Self.addresses)
        cluster.signal(SIGKILL, former)
        cluster.waitForEnd(former)
        if nodes == 1 {
            let address = Self.addresses[0].ip.description
            let isOff = eventually { (try? cluster.network.holds(former, address)) == false ? true : nil }
            try #require(isOff == true, "\(cluster.logs())")
            try cluster.network.loseNothing(by: former)
            try cluster.start(former)
        }
        for client in clients.indices { try #require(clients[client].receive() == .ended, "\(cluster.logs())") }
        #expect(backend.problems == [])
    }

    /// Each answer belongs to its request, nothing is carried out twice, and nobody waits for nothing. Each client of this
    /// load rests between its requests for about as long as makes a connection one at rest.
    @Test func busyOnesEndOrGoOnAndNothingIsMixedUp() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(addresses: Self.addresses.map(\.ip.description), hasNumberedBackend: true)
        let load = try NumberedLoad(clients: 12, to: Self.addresses, mayEnd: true)
        var former = try cluster.holder()
        for _ in 0..<Self.kills where load.problems.isEmpty {
            #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
            cluster.signal(SIGKILL, former)
            cluster.waitForEnd(former)
            let next = try cluster.holder(otherThan: former)
            try cluster.start(former)
            try cluster.waitUntilWell(former)
            former = next
        }
        #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
        load.stop()
        #expect(load.problems == [], "\(cluster.logs())")
        #expect(backend.problems == [])
    }

    private func waitUntilGuarded(_ count: Int, by node: Int, _ cluster: NetworkCluster) throws {
        let isGuarded = eventually { () -> Bool? in
            cluster.guardedConnections(of: node).flatMap { $0 >= count ? true : nil }
        }
        try #require(isGuarded == true, "\(cluster.logs())")
    }
}
