import Gateway
import Glibc
import Posix
import Synchronization
import Testing

/// Upstreams that take only so many requests at a time.
@Suite struct LimitFlowTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private func gateway(_ backends: [TestBackend], _ limits: LoadLimits, workers: Int = 1) throws -> TestGateway {
        var configuration = TestGateway.configuration(backends.map(\.address))
        configuration.upstreams[0].limits = limits
        return try TestGateway(configuration, options: ProxyOptions(workers: workers, limits: TestGateway.limits))
    }

    /// Answers when the test lets it.
    private func waitingBackend() throws -> TestBackend {
        try TestBackend { wire, backend in
            while true {
                backend.record(try wire.message())
                guard backend.waitForGo() else { return }
                try wire.send(Self.ok)
            }
        }
    }

    @Test(arguments: [LoadLimits(requests: 2, queue: 1), LoadLimits(requestsPerBackend: 2, queue: 1)])
    func whoFindsNoRoomWaitsAndWhoFindsAFullLineIsRefused(limits: LoadLimits) throws {
        var limits = limits
        limits.queueTimeout = .seconds(60)
        let backend = try waitingBackend()
        let gateway = try gateway([backend], limits)
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients { try client.send(Wire.get) }
        #expect(gateway.wait { backend.requests.count == 2 && gateway.measures.waiting == 1 })
        let queue = gateway.registry.queue(of: Upstream(name: "main", backends: [], limits: limits))
        #expect(queue == UpstreamQueue(upstream: "main", waiting: 1, isUpstreamFull: limits.requests != nil))
        let refused = try gateway.connect().get()
        #expect(refused.status == 503 && refused["retry-after"] == "1")
        #expect(refused.text.contains("too many requests wait already: upstream main"))
        backend.go()
        for client in clients { #expect(try client.message().text == "ok") }
        #expect(gateway.measures.refused == 1 && gateway.measures.waiting == 0)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func whoWaitsInVainGets503() throws {
        let backend = try waitingBackend()
        let gateway = try gateway([backend], LoadLimits(requests: 1, queueTimeout: .milliseconds(50)))
        let first = try gateway.connect()
        try first.send(Wire.get)
        #expect(gateway.wait { backend.requests.count == 1 })
        let second = try gateway.connect()
        let response = try second.get()
        #expect(response.status == 503 && response["retry-after"] == "1")
        backend.go()
        #expect(try first.message().text == "ok")
        #expect(try second.get().text == "ok", "there is room again")
        #expect(gateway.measures.waitedTooLong == 1)
    }

    @Test func whoLeavesTheLineMakesRoomThere() throws {
        let backend = try waitingBackend()
        let gateway = try gateway(
            [backend], LoadLimits(requests: 1, queue: 1, queueTimeout: .seconds(60)))
        let first = try gateway.connect()
        try first.send(Wire.get)
        #expect(gateway.wait { backend.requests.count == 1 })
        do {
            let impatient = try gateway.connect()
            try impatient.send(Wire.get)
            #expect(gateway.wait { gateway.measures.waiting == 1 })
            impatient.resetOnClose()
        }
        #expect(gateway.wait { gateway.measures.waiting == 0 })
        let next = try gateway.connect()
        try next.send(Wire.get)
        #expect(gateway.wait { gateway.measures.waiting == 1 })
        backend.go()
        #expect(try first.message().text == "ok")
        #expect(try next.message().text == "ok")
    }

    @Test func aBackendThatIsFullIsNoReasonToWaitForIt() throws {
        let full = try waitingBackend()
        let other = try TestBackend(named: "other")
        let gateway = try gateway([full, other], LoadLimits(requestsPerBackend: 1, queue: 0))
        let first = try gateway.connect()
        try first.send(Wire.get)
        #expect(gateway.wait { full.requests.count == 1 })
        let client = try gateway.connect()
        for _ in 0..<10 { #expect(try client.get().text == "other") }
        full.go()
        #expect(try first.message().text == "ok")
    }

    @Test func neverMoreThanTheLimitAndNobodyIsForgotten() throws {
        let meter = Meter()
        let backends = try (0..<2).map { _ in
            try TestBackend { wire, _ in
                while true {
                    _ = try wire.message()
                    meter.enter()
                    sched_yield()
                    meter.leave()
                    try wire.send(Self.ok)
                }
            }
        }
        let gateway = try gateway(
            backends, LoadLimits(requests: 3, requestsPerBackend: 2, queueTimeout: .seconds(60)), workers: 2)
        let threads = try (0..<12).map { _ in
            let client = try gateway.connect()
            return try Thread(name: "client") {
                for _ in 0..<50 where (try? client.get().text) == "ok" { meter.noteAnswer() }
            }
        }
        for thread in threads { thread.join() }
        #expect(meter.answers == 600)
        #expect(meter.most <= 3, "\(meter.most) at a time")
        #expect(gateway.measures.waiting == 0)
        #expect(gateway.wait { backends.allSatisfy { gateway.activeRequests($0.address) == 0 } })
    }
}

/// How many requests are at the backends at a time.
private final class Meter: Sendable {
    private let state = Mutex((now: 0, most: 0, answers: 0))

    func enter() {
        state.withLock { state in
            state.now += 1
            state.most = max(state.most, state.now)
        }
    }

    func leave() { state.withLock { $0.now -= 1 } }

    func noteAnswer() { state.withLock { $0.answers += 1 } }

    var most: Int { state.withLock { $0.most } }
    var answers: Int { state.withLock { $0.answers } }
}
