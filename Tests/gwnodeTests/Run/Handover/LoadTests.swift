import Gateway
import Glibc
import Posix
import Testing

@testable import gwnode

/// Connections that were offered to another node and taken back.
@Suite(.enabled(if: RepairedSocket.obstacle() == nil, "needs CAP_NET_ADMIN"))
struct LoadTests {
    @Test func whatRestsGoesOn() throws {
        let pair = try ClientAndServer()
        var load = Load([pair.address.ip])
        load.add(try pair.captured(), unread: [])
        #expect(load.images.map(\.local) == [pair.address])
        let connections = load.unload()
        try #require(connections.count == 1)
        let server = FileDescriptor(owning: connections[0].socket.descriptor)
        #expect(connections[0].local == pair.address && connections[0].socket.unread == [])
        #expect(send(server.raw, "still here", 10, 0) == 10)
        #expect(try pair.clientReceives() == .bytes("still here"))
    }

    /// The other node has these bytes, too.
    @Test func ofWhatTheWorkerHadReadTheClientHearsAReset() throws {
        let pair = try ClientAndServer()
        var load = Load([pair.address.ip])
        load.add(try pair.captured(), unread: Array("GET".utf8))
        #expect(load.images.map(\.unread) == [Array("GET".utf8)])
        #expect(load.unload().isEmpty)
        #expect(try pair.clientReceives() == .failure(ECONNRESET))
    }

    @Test func ofWhatTheKernelHadTheClientHearsAReset() throws {
        let pair = try ClientAndServer()
        try pair.clientSends("GET")
        var load = Load([pair.address.ip])
        load.add(try pair.captured(), unread: [])
        #expect(load.images.map(\.unread) == [Array("GET".utf8)])
        #expect(load.unload().isEmpty)
        #expect(try pair.clientReceives() == .failure(ECONNRESET))
    }
}
