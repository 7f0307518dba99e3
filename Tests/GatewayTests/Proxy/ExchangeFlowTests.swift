import Gateway
import Posix
import Testing

/// Ordinary requests and responses through a real worker.
@Suite struct ExchangeFlowTests {
    @Test func requestIsForwardedAndAnswered() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        let response = try client.get("/a/./b?c=d", fields: "X-Own: 1\r\nConnection: x-secret\r\nX-Secret: 2\r\n")
        #expect(response.startLine == "HTTP/1.1 200 OK")
        #expect(response.text == "one")
        #expect(response["Via"] == "1.1 gwnode")
        let request = try #require(backend.requests.first)
        #expect(request.startLine == "GET /a/b?c=d HTTP/1.1")
        #expect(request["Host"] == "test")
        #expect(request["X-Own"] == "1")
        #expect(request["X-Secret"] == nil)
        #expect(request["X-Forwarded-For"] == "127.0.0.1")
        #expect(request["X-Forwarded-Proto"] == gateway.scheme)
        #expect(request["X-Forwarded-Host"] == "test")
        #expect(request["Via"] == "1.1 gwnode")
    }

    @Test func bothConnectionsAreKeptOverManyRequests() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<100 { #expect(try client.get().text == "one") }
        #expect(backend.connectionCount == 1)
        #expect(gateway.pool.statistics.connectionsAccepted == 1)
        #expect(gateway.pool.statistics.requests == 100)
        #expect(gateway.pool.statistics.responses == [0, 100, 0, 0, 0])
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let backend = try TestBackend(answering: { request in
            let path = request.startLine.split(separator: " ")[1]
            return "HTTP/1.1 200 OK\r\nContent-Length: \(path.utf8.count)\r\n\r\n\(path)"
        })
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send((0..<50).map { "GET /\($0) HTTP/1.1\r\nHost: test\r\n\r\n" }.joined())
        for number in 0..<50 { #expect(try client.message().text == "/\(number)") }
    }

    @Test func requestInSingleBytesIsUnderstood() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for byte in "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello".utf8 { try client.send([byte]) }
        #expect(try client.message().text == "one")
        #expect(backend.requests.first?.text == "hello")
    }

    @Test func responseInSingleBytesIsUnderstood() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            for byte in response.utf8 { try wire.send([byte]) }
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        #expect(try gateway.connect().get().text == "abc")
    }

    @Test func headIsAnsweredWithoutABody() throws {
        let backend = try TestBackend { wire, _ in
            while true {
                _ = try wire.message()
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            }
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<3 {
            try client.send("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n")
            #expect(try client.message(hasBody: false)["Content-Length"] == "1000")
        }
        #expect(backend.connectionCount == 1)
    }

    @Test func oldClientGetsAnUnframedBodyAndAClose() throws {
        let backend = try TestBackend(answering: { _ in
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        })
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.0\r\n\r\n")
        let response = try client.message()
        #expect(response["Transfer-Encoding"] == nil)
        #expect(response.text == "hello")
    }

    @Test func bodyThatEndsWithItsConnectionIsChunked() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\n\r\nto the end")
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<3 {
            let response = try client.get()
            #expect(response["Transfer-Encoding"] == "chunked")
            #expect(response.text == "to the end")
        }
    }

    @Test func clientThatAsksForAnEndGetsOne() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        let response = try client.get(fields: "Connection: close\r\n")
        #expect(response["Connection"] == "close")
        #expect(try client.rest().isEmpty)
    }

    @Test func clientThatHalfClosesStillGetsItsAnswer() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(Wire.get)
        client.finish()
        #expect(try client.message().text == "one")
        #expect(try client.rest().isEmpty)
    }

    @Test func interimResponsesPass() throws {
        let backend = try TestBackend { wire, _ in
            while true {
                _ = try wire.message(hasBody: false)
                try wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<2 {
            #expect(try client.get().status == 103)
            #expect(try client.message().text == "ok")
        }
    }

    @Test func expectedContinueIsTheBackends() throws {
        let backend = try TestBackend { wire, backend in
            while true {
                let head = try wire.message(hasBody: false)
                try wire.send("HTTP/1.1 100 Continue\r\n\r\n")
                backend.record(head)
                let body = try wire.bytes(count: 5)
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\(String(decoding: body, as: UTF8.self))")
            }
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<2 {
            try client.send("POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            #expect(try client.message().status == 100)
            try client.send("hello")
            #expect(try client.message().text == "hello")
        }
        #expect(backend.requests.first?["Expect"] == "100-continue")
    }

    @Test func routesBeyondTheTableAreNotFound() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway(TestGateway.configuration([backend.address], path: "/api"))
        let client = try gateway.connect()
        #expect(try client.get("/other").status == 404)
        #expect(try client.get("/api/x").text == "one")
    }

    @Test func faultyRequestIsAnsweredAndClosed() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + String(repeating: "x", count: 100_000))
        let response = try client.message()
        #expect(response.status == 400)
        #expect(response["Connection"] == "close")
        client.finish()
        #expect(try client.rest().isEmpty)
        #expect(backend.requests.isEmpty)
    }
}
