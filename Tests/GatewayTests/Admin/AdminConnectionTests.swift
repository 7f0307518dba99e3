import CLinux
import Gateway
import Glibc
import Posix
import Testing

/// The deadlines of a connection, on a clock that the test sets.
@Suite final class AdminConnectionTests {
    private let pair: AdminPair
    private let fields = FieldTable()
    private let start = Instant.zero + .seconds(1000)

    init() throws { pair = try AdminPair(at: start) }

    private var connection: AdminConnection { pair.connection }

    private func send(_ text: String) { pair.send(text) }

    private func received() -> String? { pair.received().map { String(decoding: $0, as: UTF8.self) } }

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
        shutdown(pair.client.raw, Int32(SHUT_WR))
        #expect(closes(at: start))
    }
}
