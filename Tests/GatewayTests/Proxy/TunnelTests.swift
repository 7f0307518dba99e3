import Gateway
import Posix
import Testing

@Suite struct TunnelTests {
    private static let upgrade =
        "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    private static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    @Test func bytesPassBothWaysAfterTheSwitch() throws {
        let backend = try TestBackend { wire, backend in
            backend.record(try wire.message(hasBody: false))
            try wire.send(TunnelTests.switching + "early")
            while true { try wire.send(try wire.bytes(count: 4)) }
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(TunnelTests.upgrade)
        let response = try client.message(hasBody: false)
        #expect(response.status == 101)
        #expect(response["Upgrade"] == "websocket")
        #expect(try client.bytes(count: 5) == Array("early".utf8))
        for text in ["ping", "pong", "\r\n\r\n"] {
            try client.send(text)
            #expect(try client.bytes(count: 4) == Array(text.utf8))
        }
        #expect(backend.requests.first?["Upgrade"] == "websocket")
        #expect(gateway.activeRequests(backend.address) == 1)
    }

    @Test func eachWayEndsByItself() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message(hasBody: false)
            try wire.send(TunnelTests.switching)
            let question = try wire.rest()
            try wire.send("got \(String(decoding: question, as: UTF8.self))")
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(TunnelTests.upgrade + "question")
        _ = try client.message(hasBody: false)
        client.finish()
        #expect(try client.rest() == Array("got question".utf8))
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
    }

    @Test func backendsEndReachesTheClient() throws {
        let backend = try TestBackend { wire, backend in
            _ = try wire.message(hasBody: false)
            try wire.send(TunnelTests.switching + "bye")
            wire.finish()
            backend.record(Wire.Message(startLine: "", fields: [], body: try wire.rest(), rawBody: []))
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(TunnelTests.upgrade)
        _ = try client.message(hasBody: false)
        #expect(try client.rest() == Array("bye".utf8))
        try client.send("still heard")
        client.finish()
        #expect(gateway.wait { backend.requests.first?.text == "still heard" })
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func bigTransfersPassBothWaysAtOnce() throws {
        let total = 8 << 20
        let backend = try TestBackend { wire, _ in
            _ = try wire.message(hasBody: false)
            try wire.send(TunnelTests.switching)
            let writer = try Thread(name: "writer") { try? wire.send([UInt8](repeating: 98, count: total)) }
            let came = try wire.bytes(count: total)
            writer.join()
            try wire.send(came.allSatisfy { $0 == 97 } ? "ok" : "no")
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(TunnelTests.upgrade)
        _ = try client.message(hasBody: false)
        let writer = try Thread(name: "writer") { try? client.send([UInt8](repeating: 97, count: total)) }
        let came = try client.bytes(count: total)
        writer.join()
        #expect(came.allSatisfy { $0 == 98 })
        #expect(try client.bytes(count: 2) == Array("ok".utf8))
    }

    @Test func refusedUpgradeIsAnOrdinaryAnswer() throws {
        let backend = try TestBackend(named: "no")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(TunnelTests.upgrade)
        #expect(try client.message().text == "no")
        #expect(try client.get().text == "no")
    }
}
