import Gateway
import Posix
import Testing

/// What the workers count for each upstream.
@Suite struct MeasuresTests {
    @Test func everyRequestIsCountedOnceWithItsStatusBytesAndDuration() throws {
        let backend = try TestBackend { wire, backend in
            while true {
                let request = try wire.message()
                backend.record(request)
                let status = request.startLine.contains("missing") ? "404 Not Found" : "200 OK"
                try wire.send("HTTP/1.1 \(status)\r\nContent-Length: 4\r\n\r\nbody")
            }
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<5 { #expect(try client.get().status == 200) }
        for _ in 0..<2 { #expect(try client.get("/missing").status == 404) }
        #expect(gateway.wait { gateway.measures.responseCount == 7 })
        let measures = gateway.measures
        #expect(measures.responses == [0, 5, 0, 2, 0])
        #expect(measures.durations.total == 7)
        #expect(measures.durations.sum > .zero)
        #expect(measures.bytesReceived == gateway.pool.statistics.bytesReceived)
        #expect(measures.bytesSent == gateway.pool.statistics.bytesSent)
        #expect(measures.retries == 0 && measures.abandoned == 0)
    }

    @Test func attemptsAtOtherBackendsAndOwnAnswersAreCounted() throws {
        let dead = try TestBackend(named: "dead")
        dead.stop()
        let other = try TestBackend(named: "other")
        other.stop()
        let gateway = try TestGateway([dead.address, other.address], retries: 1)
        #expect(try gateway.connect().get().status == 502)
        #expect(gateway.wait { gateway.measures.responseCount == 1 })
        #expect(gateway.measures.retries == 1)
        #expect(gateway.measures.responses == [0, 0, 0, 0, 1])
    }

    @Test func clientsThatLeaveAndTunnelsHaveNoDuration() throws {
        let backend = try TestBackend { wire, backend in
            let request = try wire.message(hasBody: false)
            backend.record(request)
            if request["Upgrade"] != nil {
                try wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
            }
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        var leaving: Wire? = try gateway.connect()
        try leaving?.send(Wire.get)
        #expect(gateway.wait { backend.requests.count == 1 })
        leaving?.resetOnClose()
        leaving = nil
        #expect(gateway.wait { gateway.measures.abandoned == 1 })
        var tunnel: Wire? = try gateway.connect()
        try tunnel?.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
        #expect(try tunnel?.message(hasBody: false).status == 101)
        tunnel?.resetOnClose()
        tunnel = nil
        #expect(gateway.wait { gateway.measures.responses == [1, 0, 0, 0, 0] })
        #expect(gateway.measures.durations.total == 0)
    }

    /// A table that names the upstream again goes on with its counts.
    @Test func countsOutliveAConfiguration() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        #expect(try gateway.connect().get().text == "one")
        gateway.publish(TestGateway.configuration([backend.address], retries: 1))
        #expect(gateway.wait { gateway.pool.oldestAdoptedGeneration == gateway.publishedGeneration })
        #expect(try gateway.connect().get().text == "one")
        #expect(gateway.wait { gateway.measures.responses == [0, 2, 0, 0, 0] })
    }
}
