import Gateway
import Glibc
import Posix
import Synchronization
import TLS
import Testing

/// A hundred configurations in a row while clients ask.
@Suite struct ReloadTests {
    private static let reloads = 100

    @Test func noRequestFailsWhileTheConfigurationChanges() throws {
        let backends = try (0..<4).map { try TestBackend(named: "\($0)") }
        let addresses = backends.map(\.address)
        let options = ProxyOptions(workers: 2, limits: TestGateway.limits)
        let gateway = try TestGateway(TestGateway.configuration([addresses[0]]), options: options)
        let load = ReloadLoad(gateway.address)
        let threads = try (0..<4).map { number in
            try Thread(name: "client") { load.run(keepsConnection: number % 2 == 0) }
        }
        for number in 1...ReloadTests.reloads {
            // Other backends, limits and trust each time; now and then one backend is down.
            var configuration = TestGateway.configuration([addresses[number % 4], addresses[(number + 1) % 4]])
            configuration.clients.limits.head.fields = 16 + number
            configuration.clients.trustedProxies =
                number % 3 == 0 ? [IPNetwork(IPAddress("127.0.0.1")!, prefixLength: 32)!] : []
            gateway.publish(configuration) { number % 5 != 0 || $0.address == addresses[number % 4] }
            let before = load.answered
            #expect(gateway.wait { load.answered >= before + 4 || load.failure != nil })
        }
        load.stop()
        for thread in threads { thread.join() }
        #expect(load.failure == nil)
        #expect(load.answered >= ReloadTests.reloads * 4)
        #expect(gateway.pool.statistics.connectionsRefused == 0)
        // Nothing is held for the old ones.
        #expect(gateway.wait { gateway.pool.oldestAdoptedGeneration == gateway.publishedGeneration })
        #expect(gateway.wait { gateway.pool.statistics.activeRequests == 0 })
        withExtendedLifetime(backends) {}
    }

    /// Two hundred renewals while clients connect and ask: each handshake and request succeeds.
    @Test func noHandshakeFailsWhileCertificatesAreRenewed() throws {
        let secrets = try TestSecrets()
        let backend = try TestBackend(named: "one")
        let options = ProxyOptions(workers: 2, limits: TestGateway.limits)
        let gateway = try TestGateway(
            TestGateway.configuration([backend.address]), options: options, secrets: secrets)
        let load = ReloadLoad(gateway.address, try secrets.client())
        let threads = try (0..<4).map { number in
            try Thread(name: "client") { load.run(keepsConnection: number % 2 == 0) }
        }
        for number in 1...(2 * ReloadTests.reloads) {
            try secrets.issue("server", for: ["test", "renewal-\(number).test"])
            var plan = ListenerTermsPlan()
            plan.set(try secrets.terms(), port: 0)
            gateway.pool.setTerms(plan)
            let before = load.answered
            #expect(gateway.wait { load.answered >= before + 4 || load.failure != nil })
        }
        load.stop()
        for thread in threads { thread.join() }
        #expect(load.failure == nil)
        #expect(gateway.pool.statistics.failedHandshakes.values.allSatisfy { $0 == 0 })
        #expect(gateway.wait { gateway.pool.statistics.activeRequests == 0 })
        withExtendedLifetime(backend) {}
    }

    /// Who is kept alive learns from a response that the end is near, and is not cut off.
    @Test func keptClientsAreToldThatADrainingWorkerCloses() throws {
        let backend = try TestBackend { wire, backend in
            while true {
                let request = try wire.message()
                backend.record(request)
                if request.startLine.contains("/last") { _ = backend.waitForGo() }
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        let gateway = try TestGateway([backend.address])
        let (busy, idle) = (try gateway.connect(), try gateway.connect())
        for client in [busy, idle] {
            let response = try client.get()
            #expect(response.status == 200 && response["Connection"] == nil)
        }
        try busy.send("GET /last HTTP/1.1\r\nHost: test\r\n\r\n")
        #expect(gateway.wait { backend.requests.count == 3 })
        gateway.pool.removeListener(gateway.listener)
        // Once the idle one is closed, the worker knows.
        #expect(try idle.rest().isEmpty)
        backend.go()
        let last = try busy.message()
        #expect(last.text == "ok")
        #expect(last["Connection"] == "close")
        #expect(try busy.rest().isEmpty)
    }
}

/// Clients that ask until they are stopped or one of them gets anything but 200.
private final class ReloadLoad: Sendable {
    private struct State {
        var answered = 0
        var failure: String?
        var isStopping = false
    }

    private let address: SocketAddress
    /// Nil: plain connections.
    private let client: TLSClient?
    private let state = Mutex(State())

    init(_ address: SocketAddress, _ client: TLSClient? = nil) {
        self.address = address
        self.client = client
    }

    private func connect() throws -> Wire {
        let wire = try Wire(to: address)
        if let client { try wire.secure(SecureEnd(client)) }
        return wire
    }

    var answered: Int { state.withLock { $0.answered } }
    var failure: String? { state.withLock { $0.failure } }
    func stop() { state.withLock { $0.isStopping = true } }

    func run(keepsConnection: Bool) {
        do {
            var wire = try connect()
            while !state.withLock({ $0.isStopping }) {
                let response = try wire.get(fields: keepsConnection ? "" : "Connection: close\r\n")
                guard response.status == 200 else { return fail("status \(response.status): \(response.text)") }
                if keepsConnection && response["Connection"] != nil { return fail("a kept connection was closed") }
                state.withLock { $0.answered += 1 }
                if !keepsConnection { wire = try connect() }
            }
        } catch {
            fail("\(error)")
        }
    }

    private func fail(_ what: String) { state.withLock { $0.failure = $0.failure ?? what } }
}
