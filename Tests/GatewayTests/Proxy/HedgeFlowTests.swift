import Gateway
import Glibc
import Posix
import Testing

/// Requests that two backends get, through a real worker. The first step of round robin goes to the first backend.
@Suite struct HedgeFlowTests {
    /// Answers with `answer` when the test lets it; nil: closes the connection instead.
    private func waiting(_ answer: String?) throws -> TestBackend {
        try TestBackend { wire, backend in
            while true {
                backend.record(try wire.message())
                guard backend.waitForGo(), let answer else { return }
                try wire.send(answer)
            }
        }
    }

    private static func ok(_ text: String) -> String {
        "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
    }

    private func gateway(
        _ backends: [TestBackend], budget: RetryBudget.Terms = RetryBudget.Terms(), limits: LoadLimits = .standard,
        algorithm: BalancingAlgorithm = .roundRobin
    ) throws -> TestGateway {
        var configuration = TestGateway.configuration(backends.map(\.address))
        configuration.upstreams[0].retry = RetryPolicy(budget: budget, hedgeDelay: .milliseconds(20))
        configuration.upstreams[0].limits = limits
        configuration.upstreams[0].algorithm = algorithm
        return try TestGateway(configuration)
    }

    private func isQuiet(_ gateway: TestGateway, _ backends: [TestBackend]) -> Bool {
        gateway.wait { backends.allSatisfy { gateway.activeRequests($0.address) == 0 } }
    }

    @Test(arguments: [BalancingAlgorithm.roundRobin, .peakEWMA])
    func theAnswerComesFromTheOtherBackend(algorithm: BalancingAlgorithm) throws {
        let slow = try waiting(Self.ok("slow"))
        let well = try TestBackend(named: "well")
        let gateway = try gateway([slow, well], algorithm: algorithm)
        let client = try gateway.connect()
        #expect(
            gateway.wait { (try? client.get().text) == "well" && gateway.measures.hedges > 0 },
            "with peak EWMA the first choice is random")
        #expect(gateway.wait { gateway.measures.hedgesWon == 1 })
        #expect(gateway.measures.retries == 0)
        #expect(isQuiet(gateway, [slow, well]))
        #expect(well.requests.last == slow.requests.last, "both got the same request")
        for _ in 0..<3 { #expect(try client.get().text == "well") }
        slow.go()
    }

    @Test func theFirstMayStillBeFirst() throws {
        let (one, two) = (try waiting(Self.ok("one")), try waiting(Self.ok("two")))
        let gateway = try gateway([one, two])
        let client = try gateway.connect()
        try client.send("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n")
        #expect(gateway.wait { two.requests.count == 1 })
        try client.send(Wire.get)
        one.go()
        #expect(try client.message(hasBody: false)["Content-Length"] == "3")
        two.go()
        #expect(["one", "two"].contains(try client.message().text))
        #expect(gateway.measures.hedges >= 1)
        #expect(isQuiet(gateway, [one, two]))
    }

    @Test func whatIsNotAskedTwiceWaits() throws {
        let slow = try waiting(Self.ok("late"))
        let well = try TestBackend(named: "well")
        let gateway = try gateway([slow, well])
        let poster = try gateway.connect()
        try poster.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        #expect(gateway.wait { slow.requests.count == 1 })
        let withBody = try gateway.connect()
        try withBody.send("GET /body HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nok")
        #expect(try withBody.message().text == "well")
        let client = try gateway.connect()
        #expect(try client.get().text == "well")
        #expect(gateway.measures.hedges == 1, "the GET alone")
        #expect(well.requests.allSatisfy { $0.startLine.hasPrefix("GET ") })
        slow.go()
        #expect(try poster.message().text == "late")
        #expect(isQuiet(gateway, [slow, well]))
    }

    @Test func noBudgetNoSecondRequest() throws {
        let slow = try waiting(Self.ok("late"))
        let well = try TestBackend(named: "well")
        let gateway = try gateway([slow, well], budget: RetryBudget.Terms(percent: 0, minimumPerSecond: 0))
        let client = try gateway.connect()
        try client.send(Wire.get)
        #expect(gateway.wait { gateway.measures.retriesRefused == 1 })
        slow.go()
        #expect(try client.message().text == "late")
        #expect(gateway.measures.hedges == 0 && well.requests.isEmpty)
    }

    @Test func limitsCountBothAttempts() throws {
        let slow = try waiting(Self.ok("late"))
        let well = try TestBackend(named: "well")
        let limited = try gateway([slow, well], limits: LoadLimits(requests: 2, queue: 1))
        let (first, second) = (try limited.connect(), try limited.connect())
        try first.send(Wire.get)
        #expect(try first.message().text == "well")
        for client in [first, second] { #expect(try client.get().text == "well") }
        #expect(isQuiet(limited, [slow, well]))
        #expect(limited.measures.waiting == 0)
    }

    @Test func aFullUpstreamIsNotAskedTwice() throws {
        let (slow, other) = (try waiting(Self.ok("late")), try waiting(Self.ok("other")))
        let well = try TestBackend(named: "well")
        var configuration = TestGateway.configuration([slow.address, well.address])
        configuration.upstreams[0].retry = RetryPolicy(hedgeDelay: .milliseconds(20))
        var free = configuration.upstreams[0]
        configuration.upstreams[0].limits = LoadLimits(requests: 1)
        free.name = "free"
        free.backends = [other, well].map { Backend(address: $0.address) }
        configuration.upstreams.append(free)
        configuration.routes.append(Route(path: "/free", upstream: "free"))
        let gateway = try TestGateway(configuration)
        let client = try gateway.connect()
        try client.send(Wire.get)
        #expect(gateway.wait { slow.requests.count == 1 })
        #expect(try gateway.connect().get("/free").text == "well", "whose delay began later")
        slow.go()
        #expect(try client.message().text == "late")
        #expect(gateway.measures.hedges == 0)
        other.go()
    }

    @Test func theSecondStandsInForAFirstThatFails() throws {
        let dying = try waiting(nil)
        let well = try waiting(Self.ok("well"))
        let gateway = try gateway([dying, well])
        let client = try gateway.connect()
        try client.send(Wire.get)
        #expect(gateway.wait { well.requests.count == 1 })
        dying.go()
        #expect(gateway.wait { gateway.failures(dying.address) == 1 })
        well.go()
        #expect(try client.message().text == "well")
        #expect(well.requests.count == 1 && gateway.measures.retries == 0)
        #expect(isQuiet(gateway, [dying, well]))
    }

    @Test func aBadSecondAnswerIsNotPassedOn() throws {
        let answers = [
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "nonsense\r\n\r\n",
        ]
        for answer in answers {
            let slow = try waiting(Self.ok("late"))
            let sick = try TestBackend { _ in answer }
            let gateway = try gateway([slow, sick])
            let client = try gateway.connect()
            try client.send(Wire.get)
            #expect(gateway.wait { gateway.failures(sick.address) == 1 })
            slow.go()
            #expect(try client.message().text == "late")
            #expect(gateway.measures.hedges == 1 && gateway.measures.hedgesWon == 0)
            #expect(isQuiet(gateway, [slow, sick]))
        }
    }

    @Test func aSecondThatIsGoneChangesNothing() throws {
        let slow = try waiting(Self.ok("late"))
        let gone = try TestBackend { _, _ in }
        gone.stop()
        let gateway = try gateway([slow, gone])
        let client = try gateway.connect()
        try client.send(Wire.get)
        #expect(gateway.wait { gateway.failures(gone.address) == 1 })
        slow.go()
        #expect(try client.message().text == "late")
        #expect(isQuiet(gateway, [slow, gone]))
    }

    @Test func aClientThatLeavesTakesBothAttemptsAlong() throws {
        let (one, two) = (try waiting(Self.ok("one")), try waiting(Self.ok("two")))
        let gateway = try gateway([one, two])
        var client: Wire? = try gateway.connect()
        try client?.send(Wire.get)
        #expect(gateway.wait { two.requests.count == 1 })
        client?.resetOnClose()
        client = nil
        #expect(isQuiet(gateway, [one, two]))
        #expect(gateway.wait { gateway.pool.statistics.upstreamConnections == 0 })
        one.go()
        two.go()
    }
}
