import CLinux
import COpenSSL
import Gateway
import Glibc
import Posix
import TLS
import Testing

/// What a listener with TLS makes of bytes that are not as they should be: each connection ends, each is counted once,
/// nothing is left over, and the next client is served.
@Suite struct HostileHandshakeTests {
    private func gateway(_ secrets: TestSecrets, _ engine: EngineChoice, _ backend: TestBackend) throws -> TestGateway?
    {
        if engine == .ioUring, RingEngine.obstacle() != nil { return nil }
        var options = ProxyOptions(limits: TestGateway.limits)
        options.engine = engine
        var clients = ClientPolicy.standard
        clients.timeouts.requestHead = .milliseconds(500)
        return try TestGateway(
            TestGateway.configuration([backend.address], clients: clients), options: options, secrets: secrets)
    }

    /// The first flight of a client.
    private func greeting(_ secrets: TestSecrets) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let end = try SecureEnd(secrets.client("test"))
        try? end.shakeHands(send: { bytes += $0 }, receive: { [] })
        return bytes
    }

    @Test(arguments: EngineTests.engines, [UInt64(1), 2, 3])
    func damagedGreetingsEndAndAreCounted(engine: EngineChoice, seed: UInt64) throws {
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        guard let gateway = try gateway(secrets, engine, backend) else { return }
        let greeting = try greeting(secrets)
        #expect(greeting.count > 100)
        var random = RandomSource(seed: seed)
        let attempts = 60
        for _ in 0..<attempts {
            let wire = try Wire(to: gateway.address)
            try? wire.sendRaw(Self.damage(greeting, &random))
            wire.finishPastTLS()
            _ = try? wire.rest()
        }
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 }, "seed \(seed)")
        let statistics = gateway.pool.statistics
        #expect(statistics.failedHandshakes.values.reduce(0, +) == UInt64(attempts), "\(statistics.failedHandshakes)")
        #expect(statistics.handshakes + statistics.resumedHandshakes == 0)
        #expect(statistics.requests == 0)
        #expect(try gateway.connect().get().text == "one")
    }

    /// One to three changes, never none and never to nothing.
    private static func damage(_ greeting: [UInt8], _ random: inout RandomSource) -> [UInt8] {
        var bytes = greeting
        for _ in 0...random.below(3) {
            let place = Int(random.below(UInt32(bytes.count)))
            switch random.below(6) {
            case 0: bytes[place] ^= 1 << UInt8(random.below(8))
            case 1: bytes.removeSubrange(max(1, place)...)
            case 2: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
            case 3: bytes = Array("GET / HTTP/1.1\r\nHost: test\r\n\r\n".utf8)
            // A record longer than any may be (RFC 8446, section 5.1).
            case 4: bytes = [22, 3, 1, 0xff, 0xff] + [UInt8](repeating: UInt8(random.below(256)), count: 20_000)
            case _: bytes.append(contentsOf: (0..<random.below(300)).map { _ in UInt8(random.below(256)) })
            }
        }
        return bytes
    }

    /// After the handshake a record that can not be decrypted ends the connection, and nothing of it is served.
    @Test(arguments: EngineTests.engines, [UInt64(1), 2, 3])
    func damagedRecordsEndTheConnection(engine: EngineChoice, seed: UInt64) throws {
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        guard let gateway = try gateway(secrets, engine, backend) else { return }
        var random = RandomSource(seed: seed)
        for _ in 0..<20 {
            let wire = try Wire(to: gateway.address)
            let end = try SecureEnd(secrets.client())
            try wire.secure(end)
            #expect(try wire.get().text == "one")
            var record = try end.encrypt(Array("GET /damaged HTTP/1.1\r\nHost: test\r\n\r\n".utf8))
            // Behind the header of five bytes, so that the record stays one.
            record[5 + Int(random.below(UInt32(record.count - 5)))] ^= 1 << UInt8(random.below(8))
            try wire.sendRaw(record)
            #expect((try? wire.message()) == nil)
        }
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 }, "seed \(seed)")
        #expect(gateway.pool.statistics.handshakes + gateway.pool.statistics.resumedHandshakes == 20)
        #expect(backend.requests.allSatisfy { $0.startLine.hasPrefix("GET / ") })
    }

    /// A client of TLS 1.2 that wants to shake hands again is refused (CVE-2009-3555, and the work that it costs).
    @Test(arguments: EngineTests.engines)
    func renegotiationIsRefused(engine: EngineChoice) throws {
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        guard let gateway = try gateway(secrets, engine, backend) else { return }
        let context = try #require(SSL_CTX_new(TLS_client_method()))
        defer { SSL_CTX_free(context) }
        SSL_CTX_set_options(context, UInt64(1) << 29)  // SSL_OP_NO_TLSv1_3
        let descriptor = socket(gateway.address.family, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        try #require(gateway.address.withSockaddr { connect(descriptor, $0, $1) } == 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let ssl = try #require(SSL_new(context))
        defer { SSL_free(ssl) }
        SSL_set_fd(ssl, descriptor)
        try #require(SSL_connect(ssl) == 1)
        #expect(SSL_version(ssl) == TLS1_2_VERSION)
        #expect(SSL_renegotiate(ssl) == 1)
        // The greeting is sent, and the answer to it is an alert.
        var byte: UInt8 = 0
        _ = SSL_do_handshake(ssl)
        #expect(SSL_read(ssl, &byte, 1) <= 0)
        #expect(gateway.pool.statistics.handshakes == 1)
        #expect(try gateway.connect().get().text == "one")
        shutdown(descriptor, Int32(SHUT_RDWR))
        #expect(gateway.wait { gateway.pool.statistics.clientConnections <= 1 })
        #expect(backend.requests.count == 1)
    }
}
