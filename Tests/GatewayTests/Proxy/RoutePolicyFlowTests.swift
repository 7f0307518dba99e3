import Gateway
import Glibc
import Posix
import Testing

/// Routes that do otherwise than their upstream, and what they share with it.
@Suite struct RoutePolicyFlowTests {
    /// `/` does as the upstream, `/own` as `policy`.
    private func configuration(_ backends: [TestBackend], _ policy: RoutePolicy) -> GatewayConfiguration {
        var configuration = TestGateway.configuration(backends.map(\.address))
        configuration.upstreams[0].ejection = EjectionPolicy(consecutiveFailures: 0)
        configuration.routes.append(Route(path: "/own", upstream: "main", policy: policy))
        return configuration
    }

    /// Answers when the test lets it.
    private func waiting() throws -> TestBackend {
        try TestBackend { wire, backend in
            while true {
                backend.record(try wire.message())
                guard backend.waitForGo() else { return }
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
            }
        }
    }

    @Test(arguments: [
        (RoutePolicy.Timeouts(total: .milliseconds(100)), "longer than it may in all"),
        (RoutePolicy.Timeouts(response: .milliseconds(100)), "did not respond in time"),
    ])
    func aRouteHasItsOwnTimeLimits(timeouts: RoutePolicy.Timeouts, reason: String) throws {
        let slow = try waiting()
        let gateway = try TestGateway(configuration([slow], RoutePolicy(timeouts: timeouts)))
        let patient = try gateway.connect()
        try patient.send(Wire.get)
        #expect(gateway.wait { slow.requests.count == 1 })
        let response = try gateway.connect().get("/own")
        #expect(response.status == 504 && response.text.contains(reason) && response.text.contains("upstream main"))
        slow.go()
        #expect(try patient.message().text == "late")
    }

    @Test func aRouteHasItsOwnPatienceWithABody() throws {
        let stalling = try TestBackend { wire, backend in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nla")
            guard backend.waitForGo() else { return }
            try wire.send("te")
        }
        let gateway = try TestGateway(
            configuration([stalling], RoutePolicy(timeouts: .init(idle: .milliseconds(50)))))
        let patient = try gateway.connect()
        try patient.send(Wire.get)
        #expect(throws: Wire.Failure.self) { try gateway.connect().get("/own") }
        stalling.go()
        #expect(try patient.message().text == "late")
    }

    @Test func aRouteHasItsOwnRetries() throws {
        let sick = try TestBackend { _ in "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick" }
        let well = try TestBackend(named: "well")
        for policy in [RoutePolicy(retries: 0), RoutePolicy(retry: .init(statuses: [502]))] {
            let gateway = try TestGateway(configuration([sick, well], policy))
            let client = try gateway.connect()
            for _ in 0..<4 { #expect(try client.get().text == "well") }
            #expect(Set(try (0..<2).map { _ in try client.get("/own").status }) == [200, 503])
        }
    }

    @Test func aRouteHasItsOwnTimeForAnAttempt() throws {
        let slow = try waiting()
        let well = try TestBackend(named: "well")
        let gateway = try TestGateway(
            configuration([slow, well], RoutePolicy(retry: .init(tryTimeout: .milliseconds(50)))))
        let client = try gateway.connect()
        for _ in 0..<2 { #expect(try client.get("/own").text == "well") }
        #expect(slow.requests.count == 2, "each retry is a step of round robin")
        #expect(gateway.measures.retries == 2, "counted for the upstream")
        slow.go()
    }

    @Test func limitsAreThoseOfTheUpstream() throws {
        let slow = try waiting()
        var configuration = configuration([slow], RoutePolicy(retries: 1))
        configuration.upstreams[0].limits = LoadLimits(requests: 1, queue: 0)
        let gateway = try TestGateway(configuration)
        let first = try gateway.connect()
        try first.send(Wire.get)
        #expect(gateway.wait { slow.requests.count == 1 })
        #expect(try gateway.connect().get("/own").status == 503)
        slow.go()
        #expect(try first.message().text == "late")
        #expect(gateway.wait { gateway.measures.responseCount == 2 })
    }
}
