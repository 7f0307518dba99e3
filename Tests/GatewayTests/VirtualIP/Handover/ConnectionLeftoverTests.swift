import Gateway
import Glibc
import Namespaces
import Posix
import Testing

@Suite(.enabled(if: Namespace.obstacle == nil, Comment(rawValue: Namespace.obstacle ?? "")))
struct ConnectionLeftoverTests {
    @Test func inANamespace() throws {
        let outcome = try Namespace.run(filter: "LeftoversAsRoot", .root)
        #expect(outcome.succeeded && outcome.output.contains(/Test run with [1-9]/), "\(outcome.output)")
    }
}

/// Runs as root of a namespace, started by `ConnectionLeftoverTests`.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside ConnectionLeftoverTests"))
struct LeftoversAsRoot {
    /// A gateway was killed, its address was elsewhere before its kernel could say so, and the connection goes on there.
    @Test(arguments: [ConnectionCensus.Leftover.goesOn, .hasEnded])
    func anEndThatNobodyHearsOfDoesNotOutliveTheConnection(leftover: ConnectionCensus.Leftover) throws {
        try Self.ip("link", "set", "lo", "up")
        try Self.ip("address", "add", "10.9.0.9/32", "dev", "lo")
        let own = try #require(IPAddress("10.9.0.9"))
        let client: FileDescriptor
        let flow: ConnectionRecord.Flow
        do {
            let listener = try Socket.listen(on: SocketAddress(ip: own, port: 0))
            let address = try #require(Socket.localAddress(of: listener.raw))
            client = try Socket.startConnecting(to: address)
            flow = ConnectionRecord.Flow(local: address, peer: try #require(Socket.localAddress(of: client.raw)))
            var waiting = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waiting, 1, 20_000) == 1)
            let accepted = FileDescriptor(owning: Glibc.accept(listener.raw, nil, nil))
            #expect(accepted.raw >= 0)
            try Self.ip("address", "delete", "10.9.0.9/32", "dev", "lo")
        }
        let census = try ConnectionCensus()
        #expect(try Self.states(of: flow).contains("FIN-WAIT-1"))
        try census.clear(flow, leftover)
        switch leftover {
        case .goesOn: break
        case .hasEnded:
            // The client might acknowledge it for a while.
            let deadline = Instant.now() + .seconds(20)
            while try Self.states(of: flow).contains("FIN-WAIT-1"), .now() < deadline {
                try census.clear(flow, leftover)
            }
        }
        #expect(try !Self.states(of: flow).contains("FIN-WAIT-1"))
        try Self.ip("link", "set", "lo", "down")
        withExtendedLifetime(client) {}
    }

    private static func ip(_ arguments: String...) throws {
        let outcome = try Program.run("ip", arguments)
        #expect(outcome.succeeded, "ip \(arguments): \(outcome.output)")
    }

    private static func states(of flow: ConnectionRecord.Flow) throws -> String {
        try Program.run("ss", ["-tan", "sport = :\(flow.local.port)"]).output
    }
}
