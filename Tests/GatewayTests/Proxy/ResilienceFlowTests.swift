import Gateway
import Glibc
import Posix
import Testing

/// What clients and backends see of retries, time limits and ejections.
@Suite struct ResilienceFlowTests {
    private static let failure = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick"

    private func gateway(
        _ backends: [TestBackend], timeouts: UpstreamTimeouts = .standard, retries: Int = 2,
        retry: RetryPolicy = .standard, ejection: EjectionPolicy = .standard
    ) throws -> TestGateway {
        var configuration = TestGateway.configuration(backends.map(\.address), timeouts: timeouts, retries: retries)
        configuration.upstreams[0].retry = retry
        configuration.upstreams[0].ejection = ejection
        return try TestGateway(configuration)
    }

    @Test func aRefusedGetGoesToAnotherBackendAndAPostDoesNot() throws {
        let sick = try TestBackend { _ in Self.failure }
        let well = try TestBackend(named: "well")
        let gateway = try gateway([sick, well], ejection: EjectionPolicy(consecutiveFailures: 0))
        let client = try gateway.connect()
        for _ in 0..<4 { #expect(try client.get().text == "well") }
        #expect(sick.requests.count == 4, "each retry is a step of round robin")
        try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        let statuses = [try client.message().status, try client.post().status]
        #expect(statuses.sorted() == [200, 503])
        #expect(gateway.wait { gateway.activeRequests(sick.address) == 0 })
    }

    @Test func theLastBackendsAnswerIsPassedOn() throws {
        let one = try TestBackend { _ in Self.failure }
        let two = try TestBackend { _ in Self.failure }
        let gateway = try gateway([one, two])
        let response = try gateway.connect().get()
        #expect(response.status == 503 && response.text == "sick", "the backend's own answer")
        #expect(one.requests.count == 1 && two.requests.count == 1)
    }

    @Test func aChosenStatusAlone() throws {
        let sick = try TestBackend { _ in Self.failure }
        let well = try TestBackend(named: "well")
        let gateway = try gateway([sick, well], retry: RetryPolicy(statuses: [502]))
        let client = try gateway.connect()
        #expect(Set(try (0..<2).map { _ in try client.get().status }) == [200, 503])
    }

    @Test func garbageIsNotPassedOnWhileThereIsAnotherBackend() throws {
        let sick = try TestBackend { _ in "nonsense\r\n\r\n" }
        let well = try TestBackend(named: "well")
        let gateway = try gateway([sick, well])
        let client = try gateway.connect()
        for _ in 0..<20 { #expect(try client.get().text == "well") }
        #expect(sick.requests.count == 5, "five failures in a row eject it")
        let avoidance = try #require(gateway.avoidance(sick.address))
        #expect("\(avoidance)".hasPrefix("ejected: 5 consecutive failures, the last: invalid response, back in "))
    }

    @Test func aSlowAttemptIsGivenUpForAnotherBackend() throws {
        let slow = try TestBackend { wire, backend in
            backend.record(try wire.message())
            _ = try wire.rest()
        }
        let well = try TestBackend(named: "well")
        let gateway = try gateway([slow, well], retry: RetryPolicy(tryTimeout: .milliseconds(50)))
        let client = try gateway.connect()
        for _ in 0..<2 { #expect(try client.get().text == "well") }
        #expect(slow.requests.count == 2)
        #expect(gateway.wait { gateway.activeRequests(slow.address) == 0 })
    }

    @Test func aSlowAttemptGoesOnWithoutAnotherBackend() throws {
        let slow = try TestBackend { wire, backend in
            backend.record(try wire.message())
            guard backend.waitForGo() else { return }
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        }
        let gateway = try gateway([slow], retry: RetryPolicy(tryTimeout: .milliseconds(10)))
        let client = try gateway.connect()
        try client.send(Wire.get)
        #expect(gateway.wait { gateway.failures(slow.address) == 1 }, "the attempt's time is over")
        slow.go()
        #expect(try client.message().text == "late")
        #expect(slow.requests.count == 1)
    }

    @Test func aStormStaysWithinTheBudget() throws {
        let backends = try (0..<3).map { _ in try TestBackend { _ in Self.failure } }
        let gateway = try gateway(
            backends, retry: RetryPolicy(budget: RetryBudget.Terms(percent: 20, minimumPerSecond: 0)))
        let client = try gateway.connect()
        for _ in 0..<500 { #expect(try client.get().status == 503) }
        let arrived = backends.reduce(0) { $0 + $1.requests.count }
        #expect(arrived > 500 && arrived <= 600, "\(arrived) requests came of 500")
        #expect(gateway.measures.retriesRefused > 0)
    }

    @Test func anEjectedBackendComesBack() throws {
        let sick = try TestBackend { request in
            request.startLine.contains("/bad") ? Self.failure : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        }
        let well = try TestBackend(named: "well")
        let gateway = try gateway(
            [sick, well], retries: 0, ejection: EjectionPolicy(consecutiveFailures: 2, time: .milliseconds(300)))
        let client = try gateway.connect()
        for _ in 0..<4 { _ = try client.get("/bad") }
        #expect(gateway.ejections(sick.address) == 1)
        #expect(gateway.wait { (try? client.get().text) == "ok" }, "it serves again")
    }

    @Test func aRequestEndsWithItsTotalTime() throws {
        let slow = try TestBackend { wire, backend in
            backend.record(try wire.message())
            _ = try wire.rest()
        }
        let timeouts = UpstreamTimeouts(
            connect: .seconds(1), response: .seconds(60), idle: .seconds(60), total: .milliseconds(100))
        let gateway = try gateway([slow], timeouts: timeouts)
        let client = try gateway.connect()
        for _ in 0..<2 {
            let response = try client.get()
            #expect(response.status == 504 && response.text.contains("longer than it may in all"))
        }
        #expect(gateway.wait { gateway.activeRequests(slow.address) == 0 })
    }

    @Test func aResponseThatTakesTooLongInAllIsCutShort() throws {
        let dripping = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while true {
                try wire.send("x")
                usleep(5_000)
            }
        }
        let timeouts = UpstreamTimeouts(
            connect: .seconds(1), response: .seconds(60), idle: .seconds(60), total: .milliseconds(200))
        let gateway = try gateway([dripping], timeouts: timeouts)
        #expect(throws: Wire.Failure.self) { try gateway.connect().get() }
    }

    @Test func requestsWithinTheirTotalTimeAreLeftAlone() throws {
        let backend = try TestBackend(named: "one")
        let timeouts = UpstreamTimeouts(
            connect: .seconds(1), response: .seconds(60), idle: .seconds(60), total: .seconds(60))
        let gateway = try gateway([backend], timeouts: timeouts)
        let client = try gateway.connect()
        for _ in 0..<10 { #expect(try client.get().text == "one") }
    }
}

extension Wire {
    fileprivate func post() throws -> Message {
        try send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        return try message()
    }
}
