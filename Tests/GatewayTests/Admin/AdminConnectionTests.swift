import CLinux
import Gateway
import Glibc
import Posix
import Testing

/// The deadlines of a connection, on a clock that the test sets.
@Suite final class AdminConnectionTests {
    private let connection: AdminConnection
    private let client: FileDescriptor
    private let fields = FieldTable()
    private let start = Instant.zero + .seconds(1000)

    init() throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
        client = FileDescriptor(owning: ends[0])
        let peer = SocketAddress("127.0.0.1:1")!
        connection = AdminConnection(FileDescriptor(owning: ends[1]), peer: peer, at: start)
    }

    private func send(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(Glibc.send(client.raw, bytes, bytes.count, 0) == bytes.count)
    }

    /// What has arrived; nil when the server has closed.
    private func received() -> String? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(client.raw, &buffer, buffer.count, 0)
        return count == 0 ? nil : String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }

    private func waits(at now: Instant) -> Bool {
        if case .waits = connection.advance(fields, at: now) { return true }
        return false
    }

    private func closes(at now: Instant) -> Bool {
        if case .closes = connection.advance(fields, at: now) { return true }
        return false
    }

    private func asks(at now: Instant) -> Bool {
        if case .asks = connection.advance(fields, at: now) { return true }
        return false
    }

    @Test func silentClientIsDropped() {
        #expect(waits(at: start))
        #expect(connection.deadline == start + AdminLimits.headTime)
        connection.expire(at: connection.deadline)
        #expect(closes(at: connection.deadline))
    }

    @Test func unfinishedRequestIsTold() {
        send("GET /livez HTTP/1.1\r\n")
        #expect(waits(at: start))
        let end = connection.deadline
        connection.expire(at: end)
        #expect(waits(at: end))
        #expect(received()?.hasPrefix("HTTP/1.1 408 Request Timeout\r\n") == true)
        #expect(received() == nil)
        #expect(connection.deadline == end + AdminLimits.lingerTime)
        connection.expire(at: connection.deadline)
        #expect(closes(at: connection.deadline))
    }

    /// Dripping bytes does not move the deadline of a head.
    @Test func aSlowHeadGetsNoMoreTime() {
        send("GET /livez")
        #expect(waits(at: start))
        let end = connection.deadline
        send(" HTTP/1.1\r\n")
        #expect(waits(at: start + .seconds(5)))
        #expect(connection.deadline == end)
    }

    @Test func bodyHasItsOwnDeadline() {
        send("PUT /v1/config HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\nab")
        let now = start + .seconds(5)
        #expect(waits(at: now))
        #expect(connection.deadline == now + AdminLimits.bodyTime)
        send("cd")
        #expect(asks(at: now))
        #expect(connection.deadline == now + AdminLimits.answerTime)
    }

    @Test func aNodeThatDoesNotAnswerIsTold() {
        send("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        #expect(asks(at: start))
        connection.expire(at: connection.deadline)
        #expect(waits(at: connection.deadline))
        #expect(received()?.hasPrefix("HTTP/1.1 504 Gateway Timeout\r\n") == true)
        connection.answer(.text("late"), at: connection.deadline)
        #expect(received() == nil)
    }

    @Test func idleConnectionIsKeptForAWhile() {
        send("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        #expect(asks(at: start))
        connection.answer(.text("live\n"), at: start)
        #expect(waits(at: start))
        #expect(connection.deadline == start + AdminLimits.idleTime)
        send("GET ")
        let now = start + .seconds(50)
        #expect(waits(at: now))
        #expect(connection.deadline == now + AdminLimits.headTime)
    }

    @Test func aClientThatLeavesIsForgotten() {
        send("GET /li")
        shutdown(client.raw, Int32(SHUT_WR))
        #expect(closes(at: start))
    }
}
