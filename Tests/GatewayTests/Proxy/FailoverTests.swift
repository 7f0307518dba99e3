import Gateway
import Glibc
import Posix
import Testing

/// What clients see when backends fail.
@Suite struct FailoverTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    @Test func refusedConnectGoesToAnotherBackendUnseen() throws {
        let dead = try TestBackend(named: "dead")
        dead.stop()
        let alive = try TestBackend(named: "alive")
        let gateway = try TestGateway([dead.address, alive.address])
        let client = try gateway.connect()
        for _ in 0..<10 { #expect(try client.get().text == "alive") }
        // The first refusal ejects the backend, so the others do not even try it.
        #expect(gateway.pool.statistics.retries == 1)
        #expect(gateway.avoidance(dead.address) == .suspected(.connectRefused))
        #expect(gateway.wait { gateway.activeRequests(dead.address) == 0 })
        #expect(gateway.wait { gateway.activeRequests(alive.address) == 0 })
    }

    @Test func idempotentRequestWithoutReplyIsRepeated() throws {
        let mute = try TestBackend { wire, backend in backend.record(try wire.message()) }
        let alive = try TestBackend(named: "alive")
        let gateway = try TestGateway([mute.address, alive.address])
        #expect(try gateway.connect().get().text == "alive")
        #expect(mute.requests.count == 1)
        #expect(gateway.wait { gateway.activeRequests(mute.address) == 0 })
    }

    @Test func postThatABackendSawIsNotRepeated() throws {
        let mute = try TestBackend { wire, backend in backend.record(try wire.message()) }
        let alive = try TestBackend(named: "alive")
        let gateway = try TestGateway([mute.address, alive.address])
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello")
        let response = try client.message()
        #expect(response.status == 502)
        #expect(response.text.contains("upstream main"))
        #expect(alive.requests.isEmpty)
        // The client's connection is not to blame.
        #expect(try client.get().text == "alive")
    }

    @Test func repeatedRequestBringsItsBodyAlong() throws {
        let mute = try TestBackend { wire, backend in backend.record(try wire.message()) }
        let alive = try TestBackend(named: "alive")
        let gateway = try TestGateway([mute.address, alive.address])
        let client = try gateway.connect()
        try client.send("PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        #expect(try client.message().text == "alive")
        #expect(mute.requests.map(\.text) == ["hello"])
        #expect(alive.requests.map(\.text) == ["hello"])
    }

    @Test func pooledConnectionThatDiedCostsNothing() throws {
        let backend = try TestBackend { wire, backend in
            // One request a connection, closed without saying so.
            backend.record(try wire.message())
            try wire.send(FailoverTests.ok)
        }
        let gateway = try TestGateway([backend.address], retries: 0)
        let client = try gateway.connect()
        for _ in 0..<20 {
            try client.send("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx")
            #expect(try client.message().text == "ok")
        }
        #expect(backend.requests.count == 20)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func noBackendLeftIs503WithItsReason() throws {
        let one = try TestBackend(named: "one")
        let two = try TestBackend(named: "two")
        let gateway = try TestGateway(
            TestGateway.configuration([one.address, two.address]), isUsable: { _ in false })
        let client = try gateway.connect()
        let response = try client.get()
        #expect(response.status == 503)
        #expect(response.text.contains("upstream main: 2 of 2 backends down"))
        #expect(try client.get().status == 503)
    }

    @Test func everyBackendRefusingIs502() throws {
        let dead = try TestBackend(named: "dead")
        dead.stop()
        let gateway = try TestGateway([dead.address])
        let client = try gateway.connect()
        for _ in 0..<3 { #expect(try client.get().status == 502) }
        #expect(gateway.wait { gateway.activeRequests(dead.address) == 0 })
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 0 })
    }

    @Test func responseCutShortClosesTheClientsConnection() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        #expect(throws: Wire.Failure.closed("only this")) { try client.get() }
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func longResponseCutShortClosesTheClientsConnection() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")
            try wire.send([UInt8](repeating: 120, count: 3_000_000))
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(Wire.get)
        let whole = try client.rest()
        #expect(whole.count > 3_000_000 && whole.count < 3_001_000)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func clientThatLeavesALongResponseEndsIt() throws {
        let backend = try TestBackend { wire, backend in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n")
            defer { backend.record(Wire.Message(startLine: "lost", fields: [], body: [], rawBody: [])) }
            try wire.send([UInt8](repeating: 120, count: 90_000_000))
        }
        let gateway = try TestGateway([backend.address])
        do {
            let client = try gateway.connect()
            try client.send(Wire.get)
            _ = try client.bytes(count: 1_000_000)
        }
        #expect(gateway.wait { backend.requests.count == 1 })
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
    }

    @Test func chunkedResponseCutShortHasNoLastChunk() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n")
            wire.resetOnClose()
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        #expect(throws: Wire.Failure.self) { try client.get() }
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func backendThatDoesNotAnswerInTimeIs504() throws {
        let backend = try TestBackend { wire, _ in _ = try wire.rest() }
        let gateway = try TestGateway(
            [backend.address],
            timeouts: UpstreamTimeouts(connect: .seconds(1), response: .milliseconds(50), idle: .seconds(1)))
        let client = try gateway.connect()
        #expect(try client.get().status == 504)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func backendThatDoesNotAcceptInTimeIs504() throws {
        // A listener whose queue is full lets further handshakes hang.
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!, backlog: 0)
        let address = Socket.localAddress(of: listener.raw)!
        let fillers = try (0..<4).map { _ in try Socket.startConnecting(to: address).take() }
        defer { for filler in fillers { close(filler) } }
        let gateway = try TestGateway(
            [address],
            timeouts: UpstreamTimeouts(connect: .milliseconds(50), response: .seconds(1), idle: .seconds(1)))
        let client = try gateway.connect()
        #expect(try client.get().status == 504)
        #expect(gateway.wait { gateway.activeRequests(address) == 0 })
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ])
    func invalidResponseIs502(response: String) throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send(response)
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        #expect(try client.get().status == 502)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func clientThatGoesAwayEndsItsRequest() throws {
        let backend = try TestBackend { wire, backend in
            backend.record(try wire.message())
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        do {
            let client = try gateway.connect()
            try client.send(Wire.get)
            #expect(gateway.wait { backend.requests.count == 1 })
            #expect(gateway.activeRequests(backend.address) == 1)
            client.resetOnClose()
        }
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 0 })
    }

    @Test func idleBackendConnectionsAreClosedWhenTheBackendCloses() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send(FailoverTests.ok)
        }
        let gateway = try TestGateway([backend.address])
        #expect(try gateway.connect().get().text == "ok")
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 0 })
    }

    @Test func surplusBytesOfABackendAnswerNobody() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send(FailoverTests.ok + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<3 { #expect(try client.get().text == "ok") }
        #expect(backend.connectionCount == 3)
    }
}
