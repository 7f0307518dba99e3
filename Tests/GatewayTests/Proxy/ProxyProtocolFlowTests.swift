import Gateway
import Glibc
import Posix
import Testing

/// Connections that begin with a PROXY header, through a real worker: from proxies, and to backends.
@Suite struct ProxyProtocolFlowTests {
    private static let loopback = IPNetwork(IPAddress("127.0.0.0")!, prefixLength: 8)!
    private static let elsewhere = IPNetwork(IPAddress("10.0.0.0")!, prefixLength: 8)!
    private static let line = "PROXY TCP4 192.0.2.7 203.0.113.1 49152 443\r\n"
    private static let binary: [UInt8] =
        [13, 10, 13, 10, 0, 13, 10] + Array("QUIT\n".utf8) + [
            0x21, 0x11, 0, 12, 192, 0, 2, 8, 203, 0, 113, 1, 1, 2, 3, 4,
        ]

    /// In front of `backends`, for connections that proxies of `proxies` introduce.
    private func gateway(
        _ configuration: GatewayConfiguration, proxies: IPNetwork = loopback,
        options: ProxyOptions = ProxyOptions(limits: TestGateway.limits)
    ) throws -> TestGateway {
        let gateway = try TestGateway(configuration, options: options)
        var plan = ListenerTermsPlan()
        plan.set(ListenerTerms(server: try gateway.secrets?.server(), proxies: [proxies]), port: 0)
        gateway.pool.setTerms(plan)
        // Terms hold for connections that are made after them; the workers have seen them when they refuse this one.
        #expect(
            gateway.wait {
                let probe = try? Wire(to: gateway.address)
                try? probe?.sendRaw(Array("X".utf8))
                _ = probe?.hasInput(withinMilliseconds: 100)
                return gateway.pool.statistics.refusedIntroductions.values.contains { $0 > 0 }
            })
        return gateway
    }

    private func connect(_ gateway: TestGateway, _ header: [UInt8]) throws -> Wire {
        let wire = try Wire(to: gateway.address)
        try wire.sendRaw(header)
        if let secrets = gateway.secrets { try wire.secure(SecureEnd(try secrets.client())) }
        return wire
    }

    @Test func theClientIsWhomTheHeaderNames() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try gateway(TestGateway.configuration([backend.address]))
        for header in [Array(Self.line.utf8), Self.binary, Array("PROXY UNKNOWN\r\n".utf8)] {
            let client = try connect(gateway, header)
            for _ in 0..<2 { #expect(try client.get().text == "one") }
        }
        let named = ["192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.8", "127.0.0.1", "127.0.0.1"]
        #expect(backend.requests.map { $0["X-Forwarded-For"] } == named)
        #expect(gateway.pool.statistics.introductions == 3)
    }

    @Test func theHeaderMayComeByteByByteAndWithTheRequest() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try gateway(TestGateway.configuration([backend.address]))
        let slow = try Wire(to: gateway.address)
        for byte in Self.binary { try slow.sendRaw([byte]) }
        if let secrets = gateway.secrets { try slow.secure(SecureEnd(try secrets.client())) }
        #expect(try slow.get().text == "one")
        if gateway.secrets == nil {
            let quick = try Wire(to: gateway.address)
            try quick.send(Self.line + Wire.get + Wire.get)
            for _ in 0..<2 { #expect(try quick.message().text == "one") }
        }
        #expect(Set(backend.requests.compactMap { $0["X-Forwarded-For"] }).isSubset(of: ["192.0.2.7", "192.0.2.8"]))
    }

    @Test func whatIsNoHeaderIsRefusedAndCounted() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try gateway(TestGateway.configuration([backend.address]))
        let cases: [(String, ProxyHeaderFault)] = [
            (Wire.get, .missing), ("PROXY TCP4 nonsense\r\n", .malformed),
            ("PROXY UNKNOWN" + String(repeating: " ", count: 200), .tooLong),
        ]
        for (text, fault) in cases {
            let before = gateway.pool.statistics.refusedIntroductions[fault] ?? 0
            let client = try Wire(to: gateway.address)
            try client.sendRaw(Array(text.utf8))
            #expect(throws: Wire.Failure.self) { try client.message() }
            #expect(gateway.wait { (gateway.pool.statistics.refusedIntroductions[fault] ?? 0) > before })
        }
        let half = try Wire(to: gateway.address)
        try half.sendRaw(Array("PROXY TC".utf8))
        half.finish()
        #expect(gateway.wait { gateway.pool.statistics.refusedIntroductions[.aborted] == 1 })
        #expect(backend.requests.isEmpty)
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
    }

    @Test func onlyTrustedSourcesAreBelieved() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try gateway(TestGateway.configuration([backend.address]), proxies: Self.elsewhere)
        let client = try Wire(to: gateway.address)
        #expect(throws: (any Error).self) {
            try client.sendRaw(Array((Self.line + Wire.get).utf8))
            _ = try client.message()
        }
        #expect(gateway.wait { (gateway.pool.statistics.refusedIntroductions[.untrustedSource] ?? 0) >= 2 })
        #expect(backend.requests.isEmpty)
    }

    @Test func whoeverSaysNothingIsClosedInTime() throws {
        let backend = try TestBackend(named: "one")
        var configuration = TestGateway.configuration([backend.address])
        configuration.clients.timeouts.requestHead = .milliseconds(100)
        let gateway = try gateway(configuration)
        let client = try Wire(to: gateway.address)
        try client.sendRaw(Array("PROXY ".utf8))
        #expect(gateway.wait { gateway.pool.statistics.refusedIntroductions[.timeout] == 1 })
        #expect(throws: Wire.Failure.self) { try client.message() }
    }

    @Test func connectionsAreLimitedForWhomTheHeaderNames() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try gateway(
            TestGateway.configuration(
                [backend.address], clients: ClientPolicy(limits: ClientLimits(connectionsPerAddress: 1))))
        let first = try connect(gateway, Array(Self.line.utf8))
        #expect(try first.get().text == "one")
        #expect(throws: (any Error).self) { try connect(gateway, Array(Self.line.utf8)).get() }
        let other = try connect(gateway, Self.binary)
        #expect(try other.get().text == "one")
        #expect(try first.get().text == "one")
    }

    @Test func connectionsGoByTheNamedClientUnderIPHash() throws {
        let backends = try (0..<4).map { try TestBackend(named: "\($0)") }
        var configuration = TestGateway.configuration(backends.map(\.address))
        configuration.upstreams[0].algorithm = .ipHash
        let gateway = try gateway(configuration)
        let chosen = try (0..<32).map { number in
            try connect(gateway, Array("PROXY TCP4 192.0.2.\(number) 203.0.113.1 1 2\r\n".utf8)).get().text
        }
        #expect(Set(chosen).count == 4)
    }

    @Test func drainedGatewaysCloseConnectionsThatNobodyIntroduced() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try gateway(TestGateway.configuration([backend.address]))
        let silent = try Wire(to: gateway.address)
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 1 })
        gateway.pool.stop(drainingUntil: .now() + .seconds(20))
        #expect(throws: Wire.Failure.self) { try silent.message() }
    }

    // To backends.

    /// Reads the header that each connection begins with, and answers with it.
    private static func introduced() throws -> TestBackend {
        try TestBackend { wire, backend in
            let header = try wire.bytes(through: "\r\n")
            while true {
                backend.record(try wire.message())
                let text = String(decoding: header.dropLast(2), as: UTF8.self)
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
            }
        }
    }

    @Test func backendsAreToldOfTheClientAndItsConnectionIsNobodyElses() throws {
        let backend = try Self.introduced()
        var configuration = TestGateway.configuration([backend.address])
        configuration.upstreams[0].proxyProtocol = .v1
        configuration.clients.trustedProxies = [Self.loopback]
        let gateway = try TestGateway(configuration)
        let client = try gateway.connect()
        let own = try client.get().text.split(separator: " ")
        #expect(own.prefix(4) == ["PROXY", "TCP4", "127.0.0.1", "127.0.0.1"])
        #expect(own.last == "\(gateway.address.port)")
        let others = try (1...3).map { try client.get(fields: "X-Forwarded-For: 192.0.2.\($0)\r\n").text }
        #expect(others.map { $0.split(separator: " ")[2] } == ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
        #expect(others.allSatisfy { $0.split(separator: " ")[4] == "0" })
        #expect(backend.connectionCount == 4)
        try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello")
        #expect(try client.message().text.hasPrefix("PROXY TCP4 127.0.0.1"))
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 0 })
    }

    @Test func versionTwoIsSentInFrontOfTheRequest() throws {
        let backend = try TestBackend { wire, backend in
            let header = try wire.bytes(count: 28)
            backend.record(try wire.message())
            let isRight = header.prefix(16) == Self.binary.prefix(16) && header[16..<20] == [127, 0, 0, 1]
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(isRight ? "y" : "n")")
        }
        var configuration = TestGateway.configuration([backend.address])
        configuration.upstreams[0].proxyProtocol = .v2
        let gateway = try TestGateway(configuration)
        let client = try gateway.connect()
        for _ in 0..<2 { #expect(try client.get().text == "y") }
    }

    @Test func idleConnectionsGoWhenTheHeaderIsTurnedOn() throws {
        let backend = try TestBackend { wire, backend in
            var header: [UInt8] = []
            while true {
                let beginning = try wire.bytes(through: "\r\n")
                if beginning.starts(with: Array("PROXY".utf8)) {
                    header = beginning
                    continue
                }
                _ = try wire.bytes(through: "\r\n\r\n")
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(header.isEmpty ? "n" : "y")")
            }
        }
        var configuration = TestGateway.configuration([backend.address])
        let gateway = try TestGateway(configuration)
        let client = try gateway.connect()
        #expect(try client.get().text == "n")
        configuration.upstreams[0].proxyProtocol = .v1
        gateway.publish(configuration)
        #expect(gateway.wait { gateway.pool.oldestAdoptedGeneration == gateway.publishedGeneration })
        #expect(try client.get().text == "y")
        configuration.upstreams[0].proxyProtocol = nil
        gateway.publish(configuration)
        #expect(gateway.wait { gateway.pool.oldestAdoptedGeneration == gateway.publishedGeneration })
        #expect(try client.get().text == "n")
    }
}
