import Glibc
import Namespaces
import Posix
import Testing

/// Connections of clients that outlive the node they were made with.
///
/// In CI there are few of them. `GWNODE_CONNECTIONS=3000 GWNODE_CLIENTS=50 GWNODE_MOVES=50` asks for more.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct OpenConnectionTests {
    private static let addresses = [NetworkCluster.service, NetworkCluster.service6]
    private static let connections = number("GWNODE_CONNECTIONS") ?? 300
    private static let clients = number("GWNODE_CLIENTS") ?? 12
    private static let moves = number("GWNODE_MOVES") ?? 5

    private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

    @Test func idleOnesGoOnAfterAMove() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(
            timing: PlannedMoveTests.timing, moveTimeout: "20s", addresses: Self.addresses.map(\.ip.description),
            hasNumberedBackend: true)
        var clients = try IdleClients(Self.connections, to: Self.addresses)
        try #require(clients.ask() == [], "\(cluster.logs())")
        for _ in 0..<2 {
            let former = try cluster.holder()
            try cluster.transfer(from: former)
            _ = try cluster.holder(otherThan: former)
            #expect(clients.ask() == [], "\(cluster.logs())")
        }
        #expect(backend.problems == [])
    }

    /// The other machines remember for a minute connections between the same ends, which they were the first to end.
    @Test func oneFromAPortThatWasUsedBeforeGoesOnOrEnds() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(timing: PlannedMoveTests.timing, hasNumberedBackend: true)
        var holder = try cluster.holder()
        let others = cluster.network.nodes.filter { $0 != holder }
        var port: UInt16?
        for next in others + [holder] {
            port = try askOnce(from: port)
            try cluster.order(["leader", "transfer", "--to", "gw\(next)"], at: holder)
            #expect(try cluster.holder(otherThan: holder) == next)
            holder = next
        }
        let client = try #require(try connect(from: port), "the port is free again")
        try cluster.order(["leader", "transfer", "--to", "gw\(others[0])"], at: holder)
        let request = NumberedRequest(.small, 10)
        #expect(client.send(request.bytes))
        let answer = try #require(client.receive(), "\(cluster.logs())")
        #expect(NumberedRequest.isSame(answer.body, request.answer))
        holder = try cluster.holder(otherThan: holder)
        // Nobody says anything of this one but the next holder.
        backend.isSilent = true
        #expect(client.send(NumberedRequest(.order, 11).bytes))
        #expect(eventually { backend.carriedOut.count == 1 ? true : nil } == true)
        try cluster.network.loseWhatIsSent(by: holder, from: [NetworkCluster.service])
        cluster.signal(SIGKILL, holder)
        cluster.waitForEnd(holder)
        #expect(client.receive() == nil && !client.hasTimedOut, "\(cluster.logs())")
    }

    /// From the port, once it is free, and without time stamps, which tell a new connection from an earlier one.
    private func connect(from port: UInt16?) throws -> BlockingConnection? {
        try IdleClients.Dialect.withoutTimestamps.use {
            eventually { BlockingConnection(to: NetworkCluster.service, from: port) }
        }
    }

    /// - Returns: from which port; the gateway ended the connection before the client did.
    private func askOnce(from port: UInt16?) throws -> UInt16? {
        let connection = try #require(try connect(from: port))
        let request = String(decoding: NumberedRequest(.small, 1).bytes, as: UTF8.self)
        let last = request.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n")
        #expect(connection.send(Array(last.utf8)))
        _ = try #require(connection.receive())
        #expect(connection.receive() == nil && !connection.hasTimedOut)
        return connection.port
    }

    /// Longer than a move waits for them.
    @Test func whoWaitsForAnAnswerIsToldThatNoneComes() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(
            timing: PlannedMoveTests.timing, moveTimeout: "100ms", addresses: Self.addresses.map(\.ip.description),
            hasNumberedBackend: true)
        var clients = try (0..<20).map { client in
            try #require(RestingClient(to: Self.addresses[client % Self.addresses.count], number: UInt32(client)))
        }
        for client in clients.indices { #expect(clients[client].ask(.small) == .answered) }
        backend.isSilent = true
        for client in clients.indices where client < 10 { clients[client].send(.order) }
        #expect(eventually { backend.carriedOut.count == 10 ? true : nil } == true)
        let former = try cluster.holder()
        try cluster.transfer(from: former)
        _ = try cluster.holder(otherThan: former)
        backend.isSilent = false
        for client in clients.indices where client < 10 {
            #expect(clients[client].receive() == .ended, "\(cluster.logs())")
        }
        for client in clients.indices where client >= 10 {
            #expect(clients[client].ask(.small) == .answered, "\(cluster.logs())")
        }
        #expect(backend.problems == [])
    }

    @Test func busyOnesGoOnThroughManyMoves() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(
            timing: PlannedMoveTests.timing, moveTimeout: "20s", addresses: Self.addresses.map(\.ip.description),
            hasNumberedBackend: true)
        let load = try NumberedLoad(clients: Self.clients, to: Self.addresses)
        var moves: [NumberedLoad.Timing] = []
        var former = try cluster.holder()
        for _ in 0..<Self.moves where load.problems.isEmpty {
            #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
            let began = Instant.now()
            try cluster.transfer(from: former)
            moves.append(.init(from: began, to: .now()))
            former = try cluster.holder(otherThan: former)
        }
        #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
        load.stop()
        #expect(load.problems == [], "\(cluster.logs())")
        #expect(backend.problems == [])
        print(AddedLatency(of: load.timings, by: moves))
    }
}

/// By how much the longest request of a client during a move took longer than its usual one.
private struct AddedLatency: CustomStringConvertible {
    private var sorted: [Nanoseconds] = []

    init(of clients: [[NumberedLoad.Timing]], by moves: [NumberedLoad.Timing]) {
        for timings in clients {
            guard !timings.isEmpty else { continue }
            let usual = timings.map { $0.to - $0.from }.sorted()[timings.count / 2]
            for move in moves {
                let touched = timings.filter { $0.to >= move.from && $0.from <= move.to }
                guard let longest = touched.map({ $0.to - $0.from }).max() else { continue }
                sorted.append(longest > usual ? longest - usual : .zero)
            }
        }
        sorted.sort()
    }

    var description: String {
        guard !sorted.isEmpty else { return "no request met a move" }
        func quantile(_ share: Double) -> Nanoseconds { sorted[Int(Double(sorted.count - 1) * share)] }
        return "latency added by a move to \(sorted.count) requests: median \(quantile(0.5)), "
            + "p90 \(quantile(0.9)), p99 \(quantile(0.99)), longest \(quantile(1))"
    }
}
