import Gateway
import Posix
import Testing

/// Bodies on their way, in both directions and at every speed.
@Suite struct BodyFlowTests {
    private static let million = pattern(1_000_000)

    private static func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

    private static func chunked(_ bytes: [UInt8], size: Int) -> [UInt8] {
        var result: [UInt8] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + size, bytes.count)
            result += "\(String(end - start, radix: 16))\(start == 0 ? ";ext=1" : "")\r\n".utf8
            result += bytes[start..<end] + [13, 10]
            start = end
        }
        return result + Array("0\r\n\r\n".utf8)
    }

    /// Sends back what it gets, framed as `framing` says.
    private static func echo(chunkSize: Int?) throws -> TestBackend {
        try TestBackend { wire, _ in
            while true {
                let request = try wire.message()
                if let chunkSize {
                    try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    try wire.send(chunked(request.body, size: chunkSize))
                } else {
                    try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n")
                    try wire.send(request.body)
                }
            }
        }
    }

    @Test(arguments: [0, 1, 100, 16_000, 40_000, 1_000_000], [Int?.none, 1000, 70_000])
    func bodyGoesBothWaysUnchanged(count: Int, chunkSize: Int?) throws {
        let backend = try BodyFlowTests.echo(chunkSize: chunkSize)
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        let body = Array(BodyFlowTests.million[..<count])
        for _ in 0..<2 {
            try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: \(count)\r\n\r\n")
            try client.send(body)
            #expect(try client.message().body == body)
            try client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
            try client.send(BodyFlowTests.chunked(body, size: 5000))
            #expect(try client.message().body == body)
        }
        #expect(backend.connectionCount == 1)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func headAndSmallBodyLeaveInOneSend() throws {
        let backend = try TestBackend { wire, _ in
            while true {
                _ = try wire.message()
                try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
            }
        }
        let gateway = try TestGateway([backend.address])
        let response = try gateway.connect().get()
        #expect(String(decoding: response.rawBody, as: UTF8.self) == "5\r\nabcde\r\n0\r\n\r\n")
    }

    @Test func readerThatStopsStopsTheBackend() throws {
        let total = 64 << 20
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            wire.setTimeout(seconds: 60)
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            try wire.send([UInt8](repeating: 120, count: total))
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect(receiveBuffer: 16 << 10)
        try client.send(Wire.get)
        // What the gateway has taken from the backend settles far below the whole.
        var taken = UInt64.max
        #expect(
            gateway.wait {
                defer { taken = gateway.pool.statistics.bytesSent }
                return taken > 0 && taken == gateway.pool.statistics.bytesSent
            })
        #expect(gateway.pool.statistics.bytesSent < UInt64(1 << 20))
        #expect(try client.message().body.count == total)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    /// The backend's last words reach a client that reads late, and then their missing rest is noticed.
    @Test func backendThatResetsBehindASlowReaderEndsTheResponse() throws {
        let backend = try TestBackend { wire, backend in
            backend.record(try wire.message())
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e8480\r\n")
            let body = [UInt8](repeating: 120, count: 2_000_000)
            var sent = 0
            while sent < body.count {
                let count = wire.sendSome(Array(body[sent...]))
                sent += count
                // The client does not read, so that in the end nothing goes on.
                if count == 0, backend.waitForGo() { break }
            }
            wire.resetOnClose()
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect(receiveBuffer: 4096)
        try client.send(Wire.get)
        #expect(gateway.wait { backend.requests.count == 1 && gateway.pool.statistics.bytesSent > 0 })
        backend.go()
        #expect(throws: Wire.Failure.self) { try client.message() }
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 0 })
    }

    @Test func clientThatResetsInsteadOfReadingEndsTheResponse() throws {
        let backend = try TestBackend { wire, backend in
            backend.record(try wire.message())
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3938700\r\n")
            try wire.send([UInt8](repeating: 120, count: 60_000_000))
        }
        let gateway = try TestGateway([backend.address])
        do {
            let client = try gateway.connect(receiveBuffer: 4096)
            try client.send(Wire.get)
            #expect(gateway.wait { gateway.pool.statistics.bytesSent > 0 })
            client.resetOnClose()
        }
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 0 })
    }

    @Test(.enabled(if: !TestSecrets.areForAll, "counts what a plain socket takes"))
    func backendThatDoesNotReadStopsTheClient() throws {
        let backend = try TestBackend { wire, backend in
            backend.record(try wire.message(hasBody: false))
            while backend.requests.count < 2 { continue }
            let body = try wire.bytes(count: 64 << 20)
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\(body.count == 64 << 20 ? "ok" : "no")")
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        let total = 64 << 20
        try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: \(total)\r\n\r\n")
        var sent = 0
        let block = [UInt8](repeating: 1, count: 1 << 16)
        var last = UInt64.max
        // Goes on until neither the kernel nor the gateway takes more.
        #expect(
            gateway.wait {
                sent += client.sendSome(Array(block.prefix(total - sent)))
                defer { last = gateway.pool.statistics.bytesReceived }
                return backend.requests.count == 1 && client.sendSome([]) == 0
                    && last == gateway.pool.statistics.bytesReceived
                    && last > 1 << 16
            })
        #expect(gateway.pool.statistics.bytesReceived < UInt64(total / 2))
        backend.record(Wire.Message(startLine: "", fields: [], body: [], rawBody: []))
        try client.send([UInt8](repeating: 1, count: total - sent))
        #expect(try client.message().text == "ok")
    }

    @Test func answerBeforeTheEndOfTheBodyArrives() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message(hasBody: false)
            try wire.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4000000\r\n\r\n")
        try? client.send([UInt8](repeating: 1, count: 3_000_000))
        let response = try client.message()
        #expect(response.status == 413)
        #expect(response.text == "big")
        #expect(response["Connection"] == "close")
        client.finish()
        #expect(try client.rest().isEmpty)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func faultyChunkOfTheClientEndsTheRequest() throws {
        let backend = try TestBackend { wire, _ in _ = try wire.rest() }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n")
        #expect(try client.message().status == 400)
        client.finish()
        #expect(try client.rest().isEmpty)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }
}
