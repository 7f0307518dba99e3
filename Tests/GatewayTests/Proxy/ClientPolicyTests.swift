import Gateway
import Posix
import Testing

/// Limits and trust that the configuration gives, through a real worker.
@Suite struct ClientPolicyTests {
    private static let loopback = IPNetwork(IPAddress("127.0.0.0")!, prefixLength: 8)!

    @Test func headLimitsAreTheConfigured() throws {
        let backend = try TestBackend(named: "one")
        let limits = ClientLimits(head: HeadLimits(bytes: 2048, requestLineBytes: 256, fields: 16))
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(limits: limits))
        func status(_ path: String, _ fields: String) throws -> Int {
            try gateway.connect().get(path, fields: fields).status
        }
        // A request line is 15 bytes longer than its path, and a head of these has 29 bytes beside path and fields.
        #expect(try status("/" + String(repeating: "a", count: 240), "") == 200)
        #expect(try status("/" + String(repeating: "a", count: 241), "") == 414)
        #expect(try status("/", String(repeating: "A: b\r\n", count: 15)) == 200)
        #expect(try status("/", String(repeating: "A: b\r\n", count: 16)) == 431)
        #expect(try status("/", "A: \(String(repeating: "b", count: 2000))\r\n") == 200)
        #expect(try status("/", "A: \(String(repeating: "b", count: 2048))\r\n") == 431)
    }

    @Test func bodiesBeyondTheLimitAre413() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(limits: ClientLimits(bodyBytes: 5)))
        let fits = try gateway.connect()
        try fits.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        #expect(try fits.message().status == 200)
        try fits.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        #expect(try fits.message().status == 200)
        for body in ["Content-Length: 6\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n3\r\nlo!\r\n"] {
            let client = try gateway.connect()
            try client.send("POST / HTTP/1.1\r\nHost: a\r\n\(body)")
            let response = try client.message()
            #expect(response.status == 413)
            #expect(response["Connection"] == "close")
        }
        #expect(backend.requests.count == 2)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func longChunkedBodyBeyondTheLimitEndsItsRequest() throws {
        let backend = try TestBackend { wire, _ in _ = try wire.rest() }
        let limits = ClientLimits(bodyBytes: 200_000)
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(limits: limits))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = "10000\r\n\(String(repeating: "x", count: 0x10000))\r\n"
        for _ in 0..<4 { try client.send(chunk) }
        #expect(try client.message().status == 413)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func newLimitsHoldForTheNextRequest() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        let target = "/" + String(repeating: "a", count: 400)
        #expect(try client.get(target).status == 200)
        gateway.publish(
            TestGateway.configuration(
                [backend.address],
                clients: ClientPolicy(limits: ClientLimits(head: HeadLimits(requestLineBytes: 256)))))
        #expect(gateway.wait { gateway.pool.oldestAdoptedGeneration == gateway.publishedGeneration })
        #expect(try client.get(target).status == 414)
    }

    @Test func optionsAtItsLastHopIsAnsweredHere() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<2 {
            try client.send("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
            let response = try client.message()
            #expect(response.status == 200)
            #expect(response.text.contains("Max-Forwards"))
        }
        #expect(backend.requests.isEmpty)
        try client.send("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n")
        #expect(try client.message().text == "one")
        #expect(backend.requests.first?["Max-Forwards"] == "0")
    }

    @Test func asManyBackendsAreTriedAsTheUpstreamSays() throws {
        let dead = try (0..<8).map { _ in try TestBackend { wire, backend in backend.record(try wire.message()) } }
        for retries in [0, 1, 7] {
            let gateway = try TestGateway(dead.map(\.address), retries: retries)
            let before = dead.reduce(0) { $0 + $1.requests.count }
            #expect(try gateway.connect().get().status == 502)
            #expect(dead.reduce(0) { $0 + $1.requests.count } - before == retries + 1)
            #expect(gateway.pool.statistics.retries == UInt64(retries))
        }
    }

    @Test func trustedProxyNamesItsClient() throws {
        let backend = try TestBackend(named: "one")
        let policy = ClientPolicy(trustedProxies: [ClientPolicyTests.loopback])
        let gateway = try TestGateway([backend.address], clients: policy)
        let client = try gateway.connect()
        _ = try client.get(fields: "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n")
        _ = try client.get()
        #expect(backend.requests.map { $0["X-Forwarded-For"] } == ["6.6.6.6, 192.0.2.7, 127.0.0.1", "127.0.0.1"])
        #expect(backend.requests.map { $0["X-Forwarded-Proto"] } == ["https", gateway.scheme])
    }

    @Test func ipHashGoesByTheClientBehindATrustedProxy() throws {
        let backends = try (0..<4).map { try TestBackend(named: "\($0)") }
        let upstream = Upstream(
            name: "main", algorithm: .ipHash, backends: backends.map { Backend(address: $0.address) }, health: nil)
        var configuration = TestGateway.configuration([])
        configuration.upstreams = [upstream]
        let untrusting = try TestGateway(configuration)
        configuration.clients.trustedProxies = [ClientPolicyTests.loopback]
        let trusting = try TestGateway(configuration)
        func backend(_ gateway: TestGateway, _ number: Int) throws -> String {
            try gateway.connect().get(fields: "X-Forwarded-For: 192.0.2.\(number)\r\n").text
        }
        let spread = try (0..<32).map { try backend(trusting, $0) }
        #expect(Set(spread).count == 4)
        #expect(try (0..<32).map { try backend(trusting, $0) } == spread)
        #expect(Set(try (0..<32).map { try backend(untrusting, $0) }).count == 1)
    }

    @Test func connectionsOfAClientBehindATrustedProxyAreLimitedByRequest() throws {
        let backend = try TestBackend { wire, backend in
            while true {
                let request = try wire.message()
                backend.record(request)
                if request.startLine.contains("/slow") { _ = try wire.rest() }
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            }
        }
        let policy = ClientPolicy(
            limits: ClientLimits(connectionsPerAddress: 1), trustedProxies: [ClientPolicyTests.loopback])
        let gateway = try TestGateway([backend.address], clients: policy)
        let slow = try gateway.connect()
        try slow.send("GET /slow HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
        #expect(gateway.wait { backend.requests.count == 1 })
        let proxy = try gateway.connect()
        #expect(try proxy.get(fields: "X-Forwarded-For: 192.0.2.7\r\n").status == 429)
        #expect(try proxy.get(fields: "X-Forwarded-For: 192.0.2.8\r\n").status == 200)
        slow.resetOnClose()
        _ = consume slow
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
        #expect(gateway.wait { gateway.pool.statistics.activeRequests == 0 })
        #expect(try proxy.get(fields: "X-Forwarded-For: 192.0.2.7\r\n").status == 200)
    }
}
