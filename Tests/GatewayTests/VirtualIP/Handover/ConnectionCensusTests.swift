import CLinux
import Gateway
import Glibc
import Posix
import Testing

@Suite struct ConnectionCensusTests {
    /// Also those that no worker has accepted yet, and those over IPv4 to a socket that listens for both.
    @Test(arguments: ["127.0.0.1:0", "[::1]:0", "[::]:0"])
    func connectionsAreListedByTheirEnds(address: String) throws {
        let listener = try Socket.listen(on: #require(SocketAddress(address)), options: .sharedPort)
        let port = try #require(Socket.localAddress(of: listener.raw)).port
        let own = SocketAddress(ip: try #require(IPAddress(address == "[::1]:0" ? "::1" : "127.0.0.1")), port: port)
        let client = try Socket.startConnecting(to: own)
        var waiting = pollfd(fd: client.raw, events: Int16(POLLOUT), revents: 0)
        try #require(poll(&waiting, 1, 20_000) == 1)
        let flow = ConnectionRecord.Flow(local: own, peer: try #require(Socket.localAddress(of: client.raw)))
        let census = try ConnectionCensus()
        #expect(try census.flows(to: [own.ip]).contains(flow))
        #expect(try census.connections(to: [own.ip]) >= 2)
        for leftover in [ConnectionCensus.Leftover.goesOn, .hasEnded] {
            try census.clear(flow, leftover)
            #expect(try census.flows(to: [own.ip]).contains(flow), "it is open")
            try census.clear(.init(local: own, peer: own), leftover)
        }
        #expect(try census.flows(to: [try #require(IPAddress("127.0.0.99"))]).isEmpty)
        withExtendedLifetime(listener) {}
        withExtendedLifetime(client) {}
    }
}
