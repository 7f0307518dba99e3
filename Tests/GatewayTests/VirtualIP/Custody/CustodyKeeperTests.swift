import CLinux
import Gateway
import Glibc
import Posix
import Testing

/// What a guard makes of connections whose gateway was killed at any point. The test is the gateway, and its client.
@Suite struct CustodyKeeperTests {
    /// A connection that the gateway has entrusted to the guard.
    private struct Connection: ~Copyable {
        let client: FileDescriptor
        /// The gateway's own descriptor; a killed one has none.
        let server: FileDescriptor
    }

    private static let own = IPAddress("127.0.0.1")!

    private let custody: Custody
    private let keeper: CustodyKeeper

    init() throws {
        custody = try Custody()
        custody.addresses = [Self.own]
        let end = try custody.begin()
        let descriptors = end.descriptors.map { dup($0) }
        keeper = try CustodyKeeper(
            channel: GuardChannel(owning: descriptors[0]),
            table: CustodyTable(memory: FileDescriptor(owning: descriptors[1])))
    }

    @Test func whatArrivedAndNobodyTookGoesAlong() throws {
        let connection = try begin("a request")
        try take("a request".utf8.count, connection)
        rest(connection, at: 0, generation: 1)
        try send("the next one", connection)
        let server = connection.server.raw
        #expect(eventuallyHolds { clinux_consumed_bytes(server) == 9 })
        let left = keeper.sortOut([Self.own])
        #expect(left.count == 1)
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = left.first.map { recv($0, &bytes, bytes.count, 0) } ?? -1
        #expect(count > 0 && String(decoding: bytes[..<count], as: UTF8.self) == "the next one")
        left.forEach { close($0) }
    }

    /// Taken from the kernel, and perhaps never looked at: nobody can say any more what it was.
    @Test(arguments: [1, 5, 12]) func whatWasTakenSinceEndsTheConnection(count: Int) throws {
        let connection = try begin("a request")
        try take("a request".utf8.count, connection)
        rest(connection, at: 0, generation: 1)
        try send("the next one", connection)
        try take(count, connection)
        #expect(keeper.sortOut([Self.own]) == [])
        let isEnded = isReset(connection)
        #expect(isEnded)
    }

    /// Between an answer and the look at it, too.
    @Test func anAnsweredRequestThatWasNotNotedEndsTheConnection() throws {
        let connection = try begin("a request")
        rest(connection, at: 0, generation: 1)
        try take("a request".utf8.count, connection)
        #expect(keeper.sortOut([Self.own]) == [])
        let isEnded = isReset(connection)
        #expect(isEnded)
    }

    /// The gateway went on with it elsewhere: the guard has no business with it any more.
    @Test func whatWasWithdrawnIsLeftAlone() throws {
        let connection = try begin("")
        rest(connection, at: 0, generation: 1)
        custody.table.clear(0)
        #expect(keeper.sortOut([Self.own]) == [])
        try send("hello", connection)
        try take(5, connection)
    }

    /// Another connection has its place, and is not there yet.
    @Test func aFormerOneIsNotTakenForItsSuccessor() throws {
        let former = try begin("")
        rest(former, at: 0, generation: 1)
        let next = try begin("")
        custody.table.rest(0, generation: 2, consumed: 0)
        #expect(keeper.sortOut([Self.own]) == [])
        try send("hello", next)
        try take(5, next)
        withExtendedLifetime(former.client.raw) {}
    }

    // The two ends.

    private func begin(_ text: String) throws -> Connection {
        let listening = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        let own = Socket.localAddress(of: listening.raw)
        let address = try #require(own)
        let client = FileDescriptor(owning: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        let result = address.withSockaddr { connect(client.raw, $0, $1) }
        try #require(result == 0)
        var waiting = pollfd(fd: listening.raw, events: Int16(POLLIN), revents: 0)
        let count = poll(&waiting, 1, 20_000)
        try #require(count == 1)
        let connection = Connection(client: client, server: FileDescriptor(owning: accept(listening.raw, nil, nil)))
        try send(text, connection)
        return connection
    }

    private func send(_ text: String, _ connection: borrowing Connection) throws {
        let sent = Glibc.send(connection.client.raw, text, text.utf8.count, Int32(MSG_NOSIGNAL))
        try #require(sent == text.utf8.count)
    }

    private func take(_ count: Int, _ connection: borrowing Connection) throws {
        var bytes = [UInt8](repeating: 0, count: count)
        let taken = recv(connection.server.raw, &bytes, count, Int32(MSG_WAITALL))
        try #require(taken == count)
    }

    /// As a worker does it.
    private func rest(_ connection: borrowing Connection, at place: Int, generation: UInt64) {
        custody.table.rest(
            place, generation: generation, consumed: clinux_consumed_bytes(connection.server.raw))
        let entry = Custody.Entry(place: UInt32(place), generation: generation)
        let isTaken = custody.entrust([connection.server.raw], [entry])
        #expect(isTaken)
    }

    private func isReset(_ connection: borrowing Connection) -> Bool {
        var byte: UInt8 = 0
        return recv(connection.client.raw, &byte, 1, 0) < 0 && errno == ECONNRESET
    }

    private func eventuallyHolds(_ condition: () -> Bool) -> Bool {
        let deadline = Instant.now() + .seconds(20)
        while !condition() {
            if Instant.now() > deadline { return false }
            sched_yield()
        }
        return true
    }
}
