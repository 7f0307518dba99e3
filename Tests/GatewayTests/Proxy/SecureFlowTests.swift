import Gateway
import Posix
import TLS
import Testing

/// What clients see of TLS: certificates by name, refusals, redirections, and what backends are told.
@Suite struct SecureFlowTests {
    /// A gateway with one backend and these settings.
    private func gateway(
        _ secrets: TestSecrets, _ engine: EngineChoice, backend: TestBackend,
        _ change: (inout TLSServerSettings) -> Void = { _ in }
    ) throws -> TestGateway? {
        if engine == .ioUring, RingEngine.obstacle() != nil { return nil }
        var options = ProxyOptions(limits: TestGateway.limits)
        options.engine = engine
        let gateway = try TestGateway(
            TestGateway.configuration([backend.address]), options: options, secrets: secrets)
        var plan = ListenerTermsPlan()
        plan.set(try secrets.terms(change), port: 0)
        gateway.pool.setTerms(plan)
        return gateway
    }

    private func wire(_ gateway: TestGateway, _ client: TLSClient) throws -> Wire {
        let wire = try Wire(to: gateway.address)
        try wire.secure(SecureEnd(client))
        return wire
    }

    private func fault(_ gateway: TestGateway, _ client: TLSClient) -> HandshakeFault? {
        do {
            let wire = try wire(gateway, client)
            // In TLS 1.3 a client is done before the server has looked at its certificate.
            _ = try wire.get()
            return nil
        } catch SecureEnd.Failure.handshake(let fault) { return fault } catch { return .alert }
    }

    @Test(arguments: EngineTests.engines)
    func certificateIsChosenByTheName(engine: EngineChoice) throws {
        let secrets = try TestSecrets(["first.test"])
        try secrets.issue("second", for: ["second.test", "*.wild.test"])
        let backend = try TestBackend(named: "one")
        guard
            let gateway = try gateway(
                secrets, engine, backend: backend, { $0.certificates.append(secrets.pair("second")) })
        else { return }
        for name in ["first.test", "second.test", "SECOND.test", "a.wild.test"] {
            #expect(try wire(gateway, secrets.client(name)).get().text == "one", "\(name)")
        }
        // The first certificate is shown, and is not the one that these clients want.
        for name in ["other.test", "a.b.wild.test", "wild.test"] {
            #expect(fault(gateway, try secrets.client(name)) == .clientCertificate, "\(name)")
        }
        #expect(try wire(gateway, secrets.client()).get().text == "one")
        #expect(gateway.wait { gateway.pool.statistics.failedHandshakes[.alert] == 3 })
        #expect(gateway.pool.statistics.handshakes == 5)
        gateway.pool.setTerms(try plan(secrets) { $0.unknownName = .refuse })
        #expect(gateway.wait { self.fault(gateway, try! secrets.client("other.test")) == .alert })
        #expect(fault(gateway, try secrets.client()) == .alert)
        #expect(try wire(gateway, secrets.client("first.test")).get().text == "one")
        #expect(gateway.wait { gateway.pool.statistics.failedHandshakes[.unknownServerName, default: 0] >= 2 })
    }

    private func plan(
        _ secrets: TestSecrets, _ change: (inout TLSServerSettings) -> Void
    ) throws -> ListenerTermsPlan {
        var plan = ListenerTermsPlan()
        plan.set(try secrets.terms(change), port: 0)
        return plan
    }

    @Test(arguments: EngineTests.engines)
    func clientsShowCertificates(engine: EngineChoice) throws {
        let secrets = try TestSecrets()
        try secrets.issue("client", for: [])
        let stranger = try TestSecrets()
        try stranger.issue("client", for: [])
        let backend = try TestBackend(named: "one")
        let authority = secrets.authorityFile
        guard
            let gateway = try gateway(
                secrets, engine, backend: backend,
                { $0.clientCertificates = .init(authority: authority, mode: .required) })
        else { return }
        let certified = try secrets.client(certificate: "client")
        let forged = "X-Client-Certificate-Subject: CN=admin\r\n"
        #expect(try wire(gateway, certified).get(fields: forged).status == 200)
        #expect(backend.requests.last?.all("X-Client-Certificate-Subject") == ["CN=test node 1"])
        #expect(fault(gateway, try secrets.client()) != nil)
        let unknown = try TLSClient(
            TLSClientSettings(authority: secrets.authorityFile, certificate: stranger.pair("client")))
        #expect(fault(gateway, unknown) != nil)
        #expect(gateway.wait { gateway.pool.statistics.failedHandshakes[.clientCertificate] == 2 })
        gateway.pool.setTerms(
            try plan(secrets) { $0.clientCertificates = .init(authority: authority, mode: .optional) })
        #expect(gateway.wait { self.fault(gateway, try! secrets.client()) == nil })
        #expect(try wire(gateway, secrets.client()).get(fields: forged).status == 200)
        #expect(backend.requests.last?.all("X-Client-Certificate-Subject") == [])
    }

    @Test(arguments: EngineTests.engines)
    func whatIsNoTLSIsToldSoOrClosed(engine: EngineChoice) throws {
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        guard let gateway = try gateway(secrets, engine, backend: backend) else { return }
        let plain = try Wire(to: gateway.address).get()
        #expect(plain.status == 400)
        #expect(plain.text.contains("use https:// instead of http://"))
        // Not a record; a record of a handshake that is none; one that is longer than may be; one that ends early.
        let broken: [[UInt8]] = [
            [0], [22, 3, 1, 0, 4, 9, 9, 9, 9], [22, 3, 1, 0xff, 0xff] + [UInt8](repeating: 1, count: 70_000),
        ]
        for bytes in broken {
            let wire = try Wire(to: gateway.address)
            try? wire.send(bytes)
            _ = try? wire.rest()
        }
        let cut = try Wire(to: gateway.address)
        try cut.send([22, 3, 1, 2, 0, 1])
        cut.finish()
        _ = try? cut.rest()
        #expect(gateway.wait { gateway.pool.statistics.failedHandshakes[.aborted] == 1 })
        #expect(gateway.pool.statistics.failedHandshakes[.plainHTTP] == 1)
        let others = gateway.pool.statistics.failedHandshakes.filter { ![.aborted, .plainHTTP].contains($0.key) }
        #expect(others.values.reduce(0, +) == 3)
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
        #expect(try wire(gateway, secrets.client()).get().text == "one")
    }

    @Test(arguments: EngineTests.engines)
    func handshakeHasToEnd(engine: EngineChoice) throws {
        if engine == .ioUring, RingEngine.obstacle() != nil { return }
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        var clients = ClientPolicy.standard
        clients.timeouts.requestHead = .milliseconds(200)
        var options = ProxyOptions(limits: TestGateway.limits)
        options.engine = engine
        let gateway = try TestGateway(
            TestGateway.configuration([backend.address], clients: clients), options: options, secrets: secrets)
        let slow = try Wire(to: gateway.address)
        try slow.send([22, 3, 1, 2, 0, 1])
        _ = try? slow.rest()
        #expect(gateway.wait { gateway.pool.statistics.failedHandshakes[.timeout] == 1 })
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
    }

    /// Bytes may come one by one, and records may end anywhere.
    @Test(arguments: EngineTests.engines)
    func requestsComeInPieces(engine: EngineChoice) throws {
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        guard let gateway = try gateway(secrets, engine, backend: backend) else { return }
        let wire = try Wire(to: gateway.address)
        let end = try SecureEnd(secrets.client())
        try wire.secure(end)
        let request = try end.encrypt(Array("GET / HTTP/1.1\r\nHost: te".utf8)) + end.encrypt(Array("st\r\n\r\n".utf8))
        for byte in request { try wire.sendRaw([byte]) }
        #expect(try wire.message().text == "one")
        // Several requests in one record.
        try wire.send(Wire.get + Wire.get + Wire.get)
        for _ in 0..<3 { #expect(try wire.message().text == "one") }
        wire.finish()
        #expect(try wire.rest() == [])
        #expect(end.hasEnded)
    }

    @Test(arguments: EngineTests.engines)
    func plainListenerSendsToTheSecuredOne(engine: EngineChoice) throws {
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        guard let gateway = try gateway(secrets, engine, backend: backend) else { return }
        var plan = ListenerTermsPlan()
        plan.set(
            ListenerTerms(server: try secrets.server(), addedFields: "Strict-Transport-Security: max-age=60\r\n"),
            port: 0)
        let own = SocketAddress("127.0.0.2:0")!
        plan.set(ListenerTerms(redirectPort: 8443), at: own)
        gateway.pool.setTerms(plan)
        let (_, address) = try gateway.pool.addListener(own)
        let client = try Wire(to: address)
        let answer = try client.get("/a/./b?c=d")
        #expect(answer.status == 308)
        #expect(answer["Location"] == "https://test:8443/a/b?c=d")
        try client.send("POST /p HTTP/1.1\r\nHost: shop.test:80\r\nContent-Length: 3\r\n\r\nabc")
        #expect(try client.message()["Location"] == "https://shop.test:8443/p")
        let secured = try wire(gateway, secrets.client())
        #expect(gateway.wait { (try? secured.get()["Strict-Transport-Security"]) == "max-age=60" })
        #expect(try secured.get("/\u{0}").status == 400)
        #expect(backend.requests.allSatisfy { $0.startLine.hasPrefix("GET / ") })
    }

    @Test(arguments: EngineTests.engines)
    func ticketsAreGoodAtEveryNodeThatHasTheKey(engine: EngineChoice) throws {
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        guard let one = try gateway(secrets, engine, backend: backend),
            let other = try gateway(secrets, engine, backend: backend)
        else { return }
        let client = try secrets.client()
        let first = try SecureEnd(client)
        let wire = try Wire(to: one.address)
        try wire.secure(first)
        #expect(try wire.get().text == "one")
        let session = try #require(first.session)
        let second = try SecureEnd(client, resuming: session)
        let again = try Wire(to: other.address)
        try again.secure(second)
        #expect(try again.get().text == "one")
        #expect(second.isResumed)
        #expect(other.pool.statistics.resumedHandshakes == 1)
        // In TLS 1.3 each connection brings another ticket.
        #expect(second.session != nil)
        one.pool.setTerms(try plan(secrets) { $0.givesTickets = false })
        #expect(
            one.wait {
                guard let end = try? SecureEnd(client), let wire = try? Wire(to: one.address),
                    (try? wire.secure(end)) != nil, (try? wire.get()) != nil
                else { return false }
                return end.session == nil
            })
        one.pool.setTerms(try plan(secrets) { _ in })
        // An older key still opens tickets; one that is gone does not.
        let held = TicketKey.random()
        secrets.tickets.set([held])
        let third = try SecureEnd(client, resuming: session)
        try Wire(to: one.address).secure(third)
        #expect(!third.isResumed)
    }

    @Test func newCertificatesAreShownAndOldConnectionsStay() throws {
        let secrets = try TestSecrets(["first.test"])
        let backend = try TestBackend(named: "one")
        guard let gateway = try gateway(secrets, .epoll, backend: backend) else { return }
        let old = try wire(gateway, secrets.client("first.test"))
        #expect(try old.get().text == "one")
        try secrets.issue("server", for: ["renewed.test"])
        gateway.pool.setTerms(try plan(secrets) { _ in })
        #expect(gateway.wait { self.fault(gateway, try! secrets.client("renewed.test")) == nil })
        #expect(try old.get().text == "one")
    }
}
