import Gateway
import Glibc
import Posix
import Testing

/// Listeners, routing tables, limits and the end of a worker pool.
@Suite struct WorkerPoolTests {
    @Test func removedListenerRefusesAtOnceAndItsIdleConnectionsClose() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], options: ProxyOptions(workers: 2, limits: TestGateway.limits))
        let client = try gateway.connect()
        #expect(try client.get().text == "one")
        gateway.pool.removeListener(gateway.listener)
        #expect(throws: SystemError.self) { try gateway.connect() }
        #expect(try client.rest().isEmpty, "closed without a word")
        gateway.pool.removeListener(gateway.listener)
        let (_, second) = try gateway.pool.addListener(gateway.address)
        #expect(second == gateway.address)
        #expect(try gateway.connect().get().text == "one")
    }

    @Test func listenerThatFinishesServesWhatWaited() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let clients = try (0..<20).map { _ in try gateway.connect() }
        gateway.pool.removeListener(gateway.listener, acceptsWaiting: true)
        for client in clients { #expect(try client.get().text == "one") }
        #expect(gateway.wait { (try? gateway.connect()) == nil })
    }

    @Test func takenAddressIsAnError() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        #expect(throws: SystemError.self) { try gateway.pool.addListener(backend.address) }
    }

    @Test func twoWorkersAlternateStrictly() throws {
        let one = try TestBackend(named: "one")
        let two = try TestBackend(named: "two")
        let gateway = try TestGateway(
            [one.address, two.address], options: ProxyOptions(workers: 2, limits: TestGateway.limits))
        var names: [String] = []
        for _ in 0..<12 { names.append(try gateway.connect().get().text) }
        for (before, after) in zip(names, names.dropFirst()) { #expect(before != after) }
    }

    @Test func newTableMovesRequestsAndLetsTheOldOneGo() throws {
        let one = try TestBackend(named: "one")
        let slow = try TestBackend { wire, backend in
            backend.record(try wire.message())
            while backend.requests.count < 2 { sched_yield() }
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")
            _ = try wire.rest()
        }
        let gateway = try TestGateway([slow.address])
        let waiting = try gateway.connect()
        try waiting.send(Wire.get)
        #expect(gateway.wait { slow.requests.count == 1 })
        gateway.publish(TestGateway.configuration([one.address]))
        let client = try gateway.connect()
        #expect(gateway.wait { (try? client.get().text) == "one" })
        // The request under way still uses the first table.
        #expect(gateway.pool.oldestAdoptedGeneration == 1)
        slow.record(Wire.Message(startLine: "", fields: [], body: [], rawBody: []))
        #expect(try waiting.message().text == "slow")
        #expect(gateway.wait { gateway.pool.oldestAdoptedGeneration == gateway.publishedGeneration })
        // Its connection leads nowhere in the new table.
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 1 })
        #expect(try waiting.get().text == "one")
    }

    @Test func idleConnectionsOfRemovedBackendsAreClosed() throws {
        let one = try TestBackend(named: "one")
        let two = try TestBackend(named: "two")
        let gateway = try TestGateway([one.address])
        let client = try gateway.connect()
        #expect(try client.get().text == "one")
        gateway.publish(TestGateway.configuration([two.address]))
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 0 })
        #expect(try client.get().text == "two")
    }

    @Test func drainClosesIdleClientsAndFinishesRequests() throws {
        let backend = try TestBackend { wire, backend in
            backend.record(try wire.message())
            while backend.requests.count < 2 { sched_yield() }
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
        }
        let gateway = try TestGateway([backend.address])
        let idle = try gateway.connect()
        let busy = try gateway.connect()
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 2 })
        try busy.send(Wire.get)
        #expect(gateway.wait { backend.requests.count == 1 })
        let pool = gateway.pool
        let stopper = try Thread(name: "stopper") { pool.stop(drainingUntil: .now() + .seconds(10)) }
        #expect(try idle.rest().isEmpty)
        #expect(throws: SystemError.self) { try gateway.connect() }
        backend.record(Wire.Message(startLine: "", fields: [], body: [], rawBody: []))
        let response = try busy.message()
        #expect(response.text == "last")
        #expect(response["Connection"] == "close")
        #expect(try busy.rest().isEmpty)
        stopper.join()
        #expect(pool.statistics.clientConnections == 0)
    }

    @Test func clientsOfARetiringAddressAreToldToConnectAnew() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let before = try gateway.connect()
        let silent = try gateway.connect()
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 2 })
        gateway.pool.retire([IPAddress("192.0.2.1")!], endsIdle: true)
        #expect(try before.get()["Connection"] == nil)
        gateway.pool.retire([IPAddress("127.0.0.1")!], endsIdle: false)
        // The command travels to the workers on its own.
        var answer = try before.get()
        while answer["Connection"] == nil { answer = try before.get() }
        #expect(answer["Connection"] == "close" && answer.text == "one")
        #expect(try before.rest().isEmpty)
        #expect(try gateway.connect().get()["Connection"] == "close")
        gateway.pool.retire([IPAddress("127.0.0.1")!], endsIdle: true)
        #expect(try silent.rest().isEmpty)
        gateway.pool.retire([], endsIdle: false)
        #expect(gateway.wait { (try? gateway.connect().get()["Connection"]) == .some(nil) })
    }

    @Test func drainEndsAtItsDeadline() throws {
        let backend = try TestBackend { wire, backend in
            backend.record(try wire.message())
            _ = try wire.rest()
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(Wire.get)
        #expect(gateway.wait { backend.requests.count == 1 })
        gateway.pool.stop(drainingUntil: .now() + .milliseconds(50))
        #expect(try client.rest().isEmpty)
    }

    @Test func connectionsBeyondTheLimitAreReset() throws {
        let backend = try TestBackend(named: "one")
        let limits = ProxyLimits(clients: 3, upstreamConnections: 8, idlePerBackend: 8)
        let gateway = try TestGateway([backend.address], options: ProxyOptions(limits: limits))
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients { #expect(try client.get().text == "one") }
        #expect(throws: (any Error).self) { try gateway.connect().get() }
        #expect(gateway.wait { gateway.pool.statistics.connectionsRefused == 1 })
        for client in clients { #expect(try client.get().text == "one") }
    }

    @Test func connectionsOfOneAddressBeyondTheLimitAreReset() throws {
        let backend = try TestBackend(named: "one")
        let policy = ClientPolicy(limits: ClientLimits(connectionsPerAddress: 3))
        let gateway = try TestGateway(
            [backend.address], clients: policy, options: ProxyOptions(workers: 2, limits: TestGateway.limits))
        do {
            let clients = try (0..<3).map { _ in try gateway.connect() }
            for client in clients { #expect(try client.get().text == "one") }
            #expect(throws: (any Error).self) { try gateway.connect().get() }
            #expect(gateway.pool.statistics.connectionsRefused == 1)
            // An optimised build may close a connection after its last use.
            for client in clients { #expect(try client.get().text == "one") }
        }
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
        #expect(try gateway.connect().get().text == "one")
    }

    @Test func bodyThatDripsIs408() throws {
        let backend = try TestBackend { wire, _ in _ = try wire.rest() }
        let timeouts = ClientTimeouts(requestBody: .milliseconds(200), minimumRate: 10_000)
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(timeouts: timeouts))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n")
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 1 })
        try client.send("a few")
        #expect(try client.message().status == 408)
    }

    @Test func headThatDoesNotCompleteIs408() throws {
        let backend = try TestBackend(named: "one")
        let timeouts = ClientTimeouts(requestHead: .milliseconds(100))
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(timeouts: timeouts))
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.1\r\nHo")
        #expect(try client.message().status == 408)
        let silent = try gateway.connect()
        #expect(try silent.rest().isEmpty)
    }

    /// The deadline is the head's, not the last byte's.
    @Test func headThatDripsForEverIs408() throws {
        let backend = try TestBackend(named: "one")
        let timeouts = ClientTimeouts(requestHead: .milliseconds(100))
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(timeouts: timeouts))
        let client = try gateway.connect()
        try client.send("GET / HTTP/1.1\r\nHost: test\r\nX: ")
        var drips = 0
        // A head of 32 KB is too large: that many drips would be answered with 431.
        while drips < 32_000, !client.hasInput(withinMilliseconds: 1) {
            try client.send("x")
            drips += 1
        }
        #expect(try client.message().status == 408)
        #expect(backend.requests.isEmpty)
    }

    @Test func bodyThatStopsIs408() throws {
        let backend = try TestBackend { wire, _ in _ = try wire.rest() }
        let timeouts = ClientTimeouts(requestBody: .milliseconds(100))
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(timeouts: timeouts))
        let client = try gateway.connect()
        try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhel")
        #expect(try client.message().status == 408)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func idleConnectionIsClosedSilently() throws {
        let backend = try TestBackend(named: "one")
        let timeouts = ClientTimeouts(keepAlive: .milliseconds(100))
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(timeouts: timeouts))
        let client = try gateway.connect()
        #expect(try client.get().text == "one")
        #expect(try client.rest().isEmpty)
    }

    @Test func clientThatDoesNotReadIsCutOff() throws {
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
            try wire.send([UInt8](repeating: 120, count: 64 << 20))
        }
        let timeouts = ClientTimeouts(write: .milliseconds(100))
        let gateway = try TestGateway([backend.address], clients: ClientPolicy(timeouts: timeouts))
        let client = try gateway.connect(receiveBuffer: 16 << 10)
        try client.send(Wire.get)
        #expect(gateway.wait { gateway.pool.statistics.bytesSent > 0 })
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 })
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }
}
