import CLinux
import Gateway
import Glibc
import Posix
import Raft
import Synchronization
import Testing

/// Server-sent events over real sockets, and the page that reads them.
@Suite final class AdminStreamTests {
    private let node = FakeNode()
    private let server: AdminServer

    init() throws {
        server = try AdminServer(
            .tcp(HostPort(host: "127.0.0.1", port: 0)),
            handler: AdminHandler(services: node.services, names: []))
    }

    deinit { server.stop() }

    private func ask(_ path: String, _ method: String = "GET", on client: AdminClient? = nil) throws -> AdminClient {
        let client = try client ?? AdminClient(server.address)
        try client.send("\(method) \(path) HTTP/1.1\r\nHost: \(server.address)\r\n\r\n")
        return client
    }

    private func kill(_ id: Int) {
        node.view.withLock { $0.status.nodes[id - 1].alive = false }
        server.tellWatchers()
    }

    @Test func changesReachEveryWatcher() throws {
        let watchers = try (0..<3).map { _ in try ask("/v1/stream") }
        for watcher in watchers {
            let greeting = try watcher.receive(through: "event: sample\n")
            #expect(greeting.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"))
            #expect(!greeting.contains("Content-Length"))
        }
        kill(1)
        for watcher in watchers { #expect(try watcher.receive(through: "\"alive\":false").contains("event: status")) }
    }

    /// A browser asks on the connection that brought the page.
    @Test func aStreamMayFollowOtherAnswers() throws {
        let client = try ask("/")
        let page = try client.receiveResponse()
        #expect(page.contains("</html>"))
        _ = try ask("/v1/stream", on: client)
        _ = try client.receive(through: "event: sample\n")
        kill(1)
        #expect(try client.receive(through: "\"alive\":false").contains("event: status"))
    }

    @Test func onlyWhatIsAskedForComes() throws {
        let client = try ask("/v1/stream?only=hello,status")
        let greeting = try client.receive(through: "event: status\n")
        #expect(greeting.contains("event: hello\n"))
        #expect(!greeting.contains("event: sample") && !greeting.contains("event: event"))
        let refusal = try ask("/v1/stream?only=everything").receiveResponse()
        #expect(refusal.hasPrefix("HTTP/1.1 400 ") && refusal.contains("hello, history, status, sample, event"))
    }

    @Test func theHeadAloneEnds() throws {
        let answer = try ask("/v1/stream", "HEAD").receiveAll()
        #expect(answer.contains("text/event-stream") && answer.hasSuffix("\r\n\r\n"))
    }

    @Test func watchersAreBounded() throws {
        var watchers: [AdminClient] = []
        for _ in 0..<AdminLimits.streams {
            let watcher = try ask("/v1/stream?only=hello")
            _ = try watcher.receive(through: "event: hello\n")
            watchers.append(watcher)
        }
        let refused = try ask("/v1/stream").receiveResponse()
        #expect(refused.hasPrefix("HTTP/1.1 503 "))
        // One that leaves makes room; the server learns of it in its own time.
        watchers.removeLast()
        var answer = refused
        let deadline = Instant.now() + .seconds(20)
        while answer.hasPrefix("HTTP/1.1 503 "), Instant.now() < deadline {
            answer = try ask("/v1/stream?only=hello").receive(through: "\r\n\r\n")
        }
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        withExtendedLifetime(watchers) {}
    }

    @Test func thePageLoadsAndRunsNothingButItself() throws {
        let first = try ask("/").receiveResponse()
        let parts = first.split(separator: "\r\n\r\n", maxSplits: 1)
        let policy = try #require(parts[0].split(separator: "\r\n").first { $0.hasPrefix("Content-Security-Policy: ") })
        #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("*"))
        let nonce = try #require(policy.split(separator: "'nonce-").dropFirst().first?.prefix { $0 != "'" })
        #expect(parts[1].split(separator: "nonce=\"\(nonce)\"").count == 3, "style and script are marked")
        #expect(!parts[1].contains("{{"))
        #expect(!parts[1].contains("src=") && !parts[1].contains("@import") && !parts[1].contains(" onclick"))
        #expect(try !ask("/").receiveResponse().contains(nonce), "a nonce is used once")
    }
}

/// A stream's sending, on a clock that the test sets.
@Suite final class AdminStreamingTests {
    private let pair: AdminPair
    private let fields = FieldTable()
    private let start = Instant.zero + .seconds(1000)

    init() throws {
        pair = try AdminPair(at: start)
        pair.send("GET /v1/stream HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = connection.advance(fields, at: start)
        connection.beginStream(.stream(LiveSubscription()), at: start)
    }

    private var connection: AdminConnection { pair.connection }

    private func received() -> [UInt8] { pair.received() ?? [] }

    @Test func silenceIsBrokenByASignOfLife() {
        _ = received()
        #expect(connection.deadline == start + AdminLimits.streamSilence)
        let later = connection.deadline
        connection.expire(at: later)
        #expect(received() == LiveFeed.heartbeat)
        #expect(connection.isStreaming && connection.deadline == later + AdminLimits.streamSilence)
    }

    @Test func whoReadsNothingIsDroppedWithTime() {
        while connection.isStreaming, connection.deadline != start + AdminLimits.writeTime {
            connection.stream([UInt8](repeating: 0x20, count: 1 << 16), at: start)
        }
        #expect(connection.isStreaming, "what waits is bounded by time before it is by size")
        connection.expire(at: connection.deadline)
        #expect(!connection.isStreaming)
    }

    @Test func whoReadsNothingIsDroppedWithTooMuchWaiting() {
        for _ in 0..<1 + 2 * AdminLimits.streamBytes >> 16 {
            connection.stream([UInt8](repeating: 0x20, count: 1 << 16), at: start)
        }
        #expect(!connection.isStreaming)
    }

    @Test func whatWaitsIsSentInOrder() {
        _ = received()
        let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 / 251) }
        connection.stream(bytes, at: start)
        var all: [UInt8] = []
        while all.count < bytes.count {
            let part = received()
            if part.isEmpty { break }
            all += part
            _ = connection.advance(fields, at: start)
        }
        #expect(all == bytes)
        #expect(connection.deadline == start + AdminLimits.streamSilence)
    }

    @Test func whateverAWatcherSaysEndsItsStream() {
        pair.send("x")
        guard case .closes = connection.advance(fields, at: start) else {
            Issue.record("the stream goes on")
            return
        }
    }
}
