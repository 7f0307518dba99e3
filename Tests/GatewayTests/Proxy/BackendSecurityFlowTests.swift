import Gateway
import Glibc
import Posix
import TLS
import Testing

/// TLS to backends: what is sent over it, what is resumed, and who is refused.
@Suite struct BackendSecurityFlowTests {
    private static let name = "api.test"

    /// What a gateway has that reaches its backends by `settings`.
    private struct Plan {
        let settings: TLSClientSettings
        let securities: BackendSecurities

        init(_ settings: TLSClientSettings) throws {
            self.settings = settings
            securities = BackendSecurities([settings: .tls(try TLSClient(settings))])
        }

        /// Trusts the authority of `secrets`, and asks for a name.
        init(_ secrets: TestSecrets, _ change: (inout TLSClientSettings) -> Void = { _ in }) throws {
            var settings = TLSClientSettings(
                authority: secrets.authorityFile, serverName: BackendSecurityFlowTests.name)
            change(&settings)
            try self.init(settings)
        }

        func configuration(_ backends: [SocketAddress], connect: Nanoseconds = .seconds(10)) -> GatewayConfiguration {
            let timeouts = UpstreamTimeouts(connect: connect, response: .seconds(10), idle: .seconds(10))
            var configuration = TestGateway.configuration(backends, timeouts: timeouts)
            configuration.upstreams[0].tls = settings
            return configuration
        }

        func gateway(
            _ backends: [SocketAddress], _ engine: EngineChoice, connect: Nanoseconds = .seconds(10)
        ) throws -> TestGateway? {
            if engine == .ioUring, RingEngine.obstacle() != nil { return nil }
            var options = ProxyOptions(limits: TestGateway.limits)
            options.workers = 1
            options.engine = engine
            return try TestGateway(
                configuration(backends, connect: connect), options: options, securities: securities)
        }
    }

    private static func echo(_ secrets: TestSecrets) throws -> TestBackend {
        try TestBackend(
            secured: try secrets.server(),
            answering: { request in
                "HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n\(request.text)"
            })
    }

    @Test(arguments: EngineTests.engines)
    func bodiesOfAllSizesPassBothWays(engine: EngineChoice) throws {
        let secrets = try TestSecrets([Self.name])
        let backend = try Self.echo(secrets)
        guard let gateway = try Plan(secrets).gateway([backend.address], engine) else { return }
        let client = try gateway.connect()
        for size in [0, 1, 16_384, 70_000, 300_000, 1_500_000] {
            let body = String(repeating: "x", count: size)
            try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: \(size)\r\n\r\n\(body)")
            let answer = try client.message()
            #expect(answer.status == 200 && answer.body.count == size, "\(size)")
            try client.send(
                "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + (size == 0 ? "" : "\(String(size, radix: 16))\r\n\(body)\r\n") + "0\r\n\r\n")
            #expect(try client.message().body.count == size, "\(size) in a chunk")
        }
        // One connection served them all, and nobody saw plain text.
        #expect(backend.connectionCount == 1)
        #expect(gateway.pool.statistics.backendHandshakes == 1)
        #expect(gateway.pool.statistics.failedBackendHandshakes == 0)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    /// A backend that closes each connection, so that the next request needs another.
    @Test(arguments: EngineTests.engines)
    func secondConnectionResumesTheSession(engine: EngineChoice) throws {
        let secrets = try TestSecrets([Self.name])
        let backend = try TestBackend(secured: try secrets.server()) { wire, backend in
            backend.record(try wire.message())
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            wire.finish()
            _ = try wire.rest()
        }
        guard let gateway = try Plan(secrets).gateway([backend.address], engine) else { return }
        let client = try gateway.connect()
        for _ in 0..<4 { #expect(try client.get().text == "ok") }
        #expect(backend.connectionCount == 4)
        #expect(backend.resumedCount == 3)
        #expect(gateway.pool.statistics.backendHandshakes == 1)
        #expect(gateway.pool.statistics.resumedBackendHandshakes == 3)
        // Other files begin anew: neither idle connections nor sessions are used any more.
        let plan = try Plan(secrets)
        gateway.publish(plan.configuration([backend.address]), securities: plan.securities)
        #expect(gateway.wait { gateway.pool.oldestAdoptedGeneration == gateway.publishedGeneration })
        #expect(try client.get().text == "ok")
        #expect(backend.resumedCount == 3)
    }

    @Test(arguments: EngineTests.engines)
    func upgradedConnectionsPassBothWays(engine: EngineChoice) throws {
        let secrets = try TestSecrets([Self.name])
        let backend = try TestBackend(secured: try secrets.server()) { wire, _ in
            _ = try wire.message(hasBody: false)
            try wire.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly")
            while true { try wire.send(try wire.bytes(count: 4)) }
        }
        guard let gateway = try Plan(secrets).gateway([backend.address], engine) else { return }
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        #expect(try client.message(hasBody: false).status == 101)
        #expect(try client.bytes(count: 5) == Array("early".utf8))
        for text in ["ping", "pong", "\r\n\r\n"] {
            try client.send(text)
            #expect(try client.bytes(count: 4) == Array(text.utf8))
        }
        client.finish()
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    /// The header goes before the handshake, and connections of their own are resumed too.
    @Test(arguments: EngineTests.engines)
    func introducedConnectionsAreSecuredBehindTheirHeader(engine: EngineChoice) throws {
        if engine == .ioUring, RingEngine.obstacle() != nil { return }
        let secrets = try TestSecrets([Self.name])
        let server = try secrets.server()
        let backend = try TestBackend { wire, backend in
            let header = String(decoding: try wire.bytes(through: "\r\n"), as: UTF8.self)
            let end = try SecureEnd(serving: server)
            try wire.secure(end)
            backend.record(try wire.message())
            let text = "\(header.hasPrefix("PROXY TCP4 127.0.0.1 ")) \(end.isResumed)"
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
            _ = try wire.rest()
        }
        let plan = try Plan(secrets)
        var configuration = plan.configuration([backend.address])
        configuration.upstreams[0].proxyProtocol = .v1
        var options = ProxyOptions(limits: TestGateway.limits)
        options.workers = 1
        options.engine = engine
        let gateway = try TestGateway(configuration, options: options, securities: plan.securities)
        let client = try gateway.connect()
        #expect(try client.get().text == "true false")
        #expect(try client.get().text == "true true")
    }

    @Test(arguments: EngineTests.engines)
    func backendsAskForThisNodesCertificate(engine: EngineChoice) throws {
        let secrets = try TestSecrets([Self.name])
        try secrets.issue("client", for: [])
        let server = try secrets.server {
            $0.clientCertificates = .init(authority: secrets.authorityFile, mode: .required)
        }
        let backend = try TestBackend(named: "one", secured: server)
        guard
            let gateway = try Plan(secrets, { $0.certificate = secrets.pair("client") })
                .gateway([backend.address], engine)
        else { return }
        #expect(try gateway.connect().get().text == "one")
        #expect(backend.subjects == ["CN=test node 1"])
        // Without one it is refused, which in TLS 1.3 a node learns when it believes that hands are shaken.
        guard let bare = try Plan(secrets).gateway([backend.address], engine) else { return }
        #expect(try bare.connect().get().status >= 500)
        let reason = "it refuses this node's certificate: unknown"
        #expect(bare.wait { "\(bare.avoidance(backend.address)?.description ?? "")".contains(reason) })
    }

    /// A response without a length ends with the backend's word that it is over, not with anybody's FIN.
    @Test(arguments: EngineTests.engines)
    func bodyThatIsCutOffIsNotPassedOffAsWhole(engine: EngineChoice) throws {
        let secrets = try TestSecrets([Self.name])
        let backend = try TestBackend(secured: try secrets.server()) { wire, _ in
            let request = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\n\r\nhalf")
            if request.startLine.contains("/whole") { wire.finish() } else { wire.finishPastTLS() }
            _ = try? wire.rest()
        }
        guard let gateway = try Plan(secrets).gateway([backend.address], engine) else { return }
        let whole = try gateway.connect()
        #expect(try whole.get("/whole").text == "half")
        let cut = try gateway.connect()
        #expect(throws: (any Error).self) { try cut.get("/cut") }
        #expect(gateway.wait { gateway.pool.statistics.cutShort == 1 })
        #expect(gateway.pool.statistics.responses[1] == 2)
    }

    // Who is refused.

    @Test(arguments: EngineTests.engines, Impostor.allCases)
    func impostorIsRefusedAndTheNextOneServes(engine: EngineChoice, impostor: Impostor) throws {
        let secrets = try TestSecrets([Self.name])
        let good = try TestBackend(named: "good", secured: try secrets.server())
        let bad = try impostor.backend(secrets, for: Self.name)
        guard
            let gateway = try Plan(secrets).gateway(
                [bad.address, good.address], engine, connect: impostor == .silent ? .milliseconds(300) : .seconds(10))
        else { return }
        let client = try gateway.connect()
        for _ in 0..<3 { #expect(try client.get().text == "good") }
        #expect(bad.requests.isEmpty)
        #expect(gateway.pool.statistics.failedBackendHandshakes >= 1)
        let said = gateway.avoidance(bad.address)?.description ?? "it is not avoided"
        #expect(said.contains(impostor.reason), "\(said)")
    }

    @Test func unverifiedBackendIsTaken() throws {
        let secrets = try TestSecrets([Self.name])
        try secrets.signItself("server", for: "other.test")
        let backend = try TestBackend(named: "any", secured: try secrets.server())
        let plan = try Plan(TLSClientSettings(isVerified: false))
        guard let gateway = try plan.gateway([backend.address], .epoll) else { return }
        #expect(try gateway.connect().get().text == "any")
    }

    /// Without a name a backend's address is what its certificate has to have.
    @Test func addressIsVerifiedWhereThereIsNoName() throws {
        let secrets = try TestSecrets([Self.name])
        let backend = try TestBackend(named: "one", secured: try secrets.server())
        guard let gateway = try Plan(secrets, { $0.serverName = nil }).gateway([backend.address], .epoll) else {
            return
        }
        #expect(try gateway.connect().get().text == "one")
        let bare = try TestSecrets([Self.name])
        try bare.issue("server", for: [Self.name], hasAddress: false)
        let other = try TestBackend(named: "other", secured: try bare.server())
        guard let second = try Plan(bare, { $0.serverName = nil }).gateway([other.address], .epoll) else { return }
        #expect(try second.connect().get().status >= 500)
        let said = second.avoidance(other.address)?.description ?? ""
        #expect(said.contains("not for its address, but for api.test; set tls.serverName"), "\(said)")
    }

    /// Files that can not be used never mean that a backend is reached without TLS.
    @Test func withoutUsableFilesNothingIsSent() throws {
        let backend = try TestBackend(named: "plain")
        let settings = TLSClientSettings(authority: "/nowhere/ca.crt")
        var configuration = TestGateway.configuration([backend.address])
        configuration.upstreams[0].tls = settings
        configuration.upstreams[0].health = .standard
        for securities in [BackendSecurities.none, BackendSecurities([settings: .unusable("no such file")])] {
            let gateway = try TestGateway(configuration, securities: securities)
            #expect(try gateway.connect().get().status == 503)
        }
        #expect(backend.connectionCount == 0)
        #expect(configuration.certificateProblems.count == 1)
        #expect(configuration.certificateProblems[0].hasPrefix("upstreams[0].tls: "))
        #expect(configuration.certificateProblems[0].contains("/nowhere/ca.crt"))
    }
}
