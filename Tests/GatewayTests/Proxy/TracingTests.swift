import Gateway
import Posix
import Testing

/// Request IDs and W3C Trace Context, through a real worker.
@Suite struct TracingTests {
    private static let loopback = IPNetwork(IPAddress("127.0.0.0")!, prefixLength: 8)!
    private static let digits = Set("0123456789abcdef")

    private func isNumber(_ text: String?, digits count: Int = 32) -> Bool {
        guard let text else { return false }
        return text.count == count && text.allSatisfy(TracingTests.digits.contains) && text.contains { $0 != "0" }
    }

    private func configuration(
        _ backend: TestBackend, _ tracing: TracingPolicy, isTrusted: Bool = false
    ) -> GatewayConfiguration {
        let clients = ClientPolicy(trustedProxies: isTrusted ? [TracingTests.loopback] : [])
        var configuration = TestGateway.configuration([backend.address], clients: clients)
        configuration.tracing = tracing
        return configuration
    }

    /// What the backend sees of a request with these fields.
    private func seen(_ fields: String, _ tracing: TracingPolicy, isTrusted: Bool = false) throws -> Wire.Message {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway(configuration(backend, tracing, isTrusted: isTrusted))
        #expect(try gateway.connect().get(fields: fields).status == 200)
        return try #require(backend.requests.first)
    }

    // Request IDs.

    @Test func everyRequestGetsAnIDOfItsOwn() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        for _ in 0..<20 { _ = try client.get(fields: "x-request-ID: forged\r\nX-Request-Id: twice\r\n") }
        let given = backend.requests.map { $0.all("X-Request-Id") }
        #expect(given.allSatisfy { $0.count == 1 && isNumber($0[0]) })
        #expect(Set(given).count == 20)
        withExtendedLifetime(gateway) {}
    }

    @Test func trustedProxiesMayBringTheirOwn() throws {
        let longest = String(repeating: "a", count: 128)
        for id in ["x", "7b29-4af1/!~", longest] {
            let message = try seen("X-REQUEST-ID: \(id)\r\n", TracingPolicy(), isTrusted: true)
            #expect(message.all("X-Request-Id") == [id])
        }
        for fields in [
            "X-Request-Id: \(longest)a\r\n", "X-Request-Id: two words\r\n", "X-Request-Id:\r\n",
            "X-Request-Id: \u{e9}\r\n", "X-Request-Id: a\r\nx-request-id: b\r\n",
            "X-Request-Id: a\r\nConnection: x-request-id\r\n",
        ] {
            let message = try seen(fields, TracingPolicy(), isTrusted: true)
            #expect(message.all("X-Request-Id").count == 1 && isNumber(message["X-Request-Id"]), "\(fields)")
        }
    }

    @Test func clientsMayBringTheirOwnWhereTheConfigurationSaysSo() throws {
        let keep = TracingPolicy(requestID: .keep, requestIDField: "Correlation-ID")
        #expect(try seen("correlation-id: mine\r\n", keep).all("Correlation-ID") == ["mine"])
        let made = try seen("X-Request-Id: other\r\n", keep)
        #expect(isNumber(made["Correlation-ID"]) && made.all("X-Request-Id") == ["other"])
        let off = TracingPolicy(requestID: .off)
        #expect(try seen("X-Request-Id: a\r\nX-Request-Id: b\r\n", off).all("X-Request-Id") == ["a", "b"])
        #expect(try seen("", off)["X-Request-Id"] == nil)
    }

    // Trace context. The values are those of the test suite of the W3C for section 3.2.

    private static let trace = "12345678901234567890123456789012"
    private static let valid = "00-\(trace)-1234567890123456-01"

    @Test(arguments: [
        valid, "00-\(trace)-1234567890123456-00", "cc-\(trace)-1234567890123456-01",
        "cc-\(trace)-1234567890123456-01-what-the-future-will-be-like", "01-\(trace)-1234567890123456-ff-",
    ])
    func validTraceparentGoesOn(value: String) throws {
        for spelling in ["traceparent: \(value)", "TraceParent:\t \(value) \t"] {
            let fields = "\(spelling)\r\nTraceState: foo=1\r\ntracestate: bar=2\r\n"
            for policy in [TracingPolicy(), TracingPolicy(traceparent: .create)] {
                let message = try seen(fields, policy)
                #expect(message.all("traceparent").map { $0.trimming { $0 == " " || $0 == "\t" } } == [value])
                #expect(message.all("tracestate") == ["foo=1", "bar=2"])
            }
        }
    }

    static let invalid = [
        // The version.
        "ff-\(trace)-1234567890123456-01", "cc-\(trace)-1234567890123456-01.what-the-future",
        ".0-\(trace)-1234567890123456-01", "0.-\(trace)-1234567890123456-01", "000-\(trace)-1234567890123456-01",
        "0-\(trace)-1234567890123456-01", "00-\(trace)-1234567890123456-01-what-the-future-will-be-like",
        "0C-\(trace)-1234567890123456-01",
        // The trace.
        "00-00000000000000000000000000000000-1234567890123456-01",
        "00-.2345678901234567890123456789012-1234567890123456-01",
        "00-1234567890123456789012345678901.-1234567890123456-01", "00-\(trace)3-1234567890123456-01",
        "00-1234567890123456789012345678901-1234567890123456-01",
        "00-ABCDEF78901234567890123456789012-1234567890123456-01",
        // The span.
        "00-\(trace)-0000000000000000-01", "00-\(trace)-.234567890123456-01", "00-\(trace)-123456789012345.-01",
        "00-\(trace)-12345678901234567-01", "00-\(trace)-123456789012345-01", "00-\(trace)-123456789012345F-01",
        // The flags, and the rest.
        "00-\(trace)-1234567890123456-.0", "00-\(trace)-1234567890123456-0.", "00-\(trace)-1234567890123456-001",
        "00-\(trace)-1234567890123456-1", "00-\(trace)-1234567890123456-", "00-\(trace)_1234567890123456-01", "", "00-",
        "cc-\(trace)-1234567890123456-01-\(String(repeating: "a", count: 300))",
    ]

    @Test(arguments: invalid)
    func invalidTraceparentDoesNotGoOn(value: String) throws {
        let fields = "traceparent: \(value)\r\ntracestate: foo=1\r\n"
        let dropped = try seen(fields, TracingPolicy())
        #expect(dropped["traceparent"] == nil && dropped["tracestate"] == nil)
        let made = try seen(fields, TracingPolicy(traceparent: .create))
        #expect(made["tracestate"] == nil)
        expectNewTrace(made)
    }

    /// The trace that began here has the number of the request.
    private func expectNewTrace(_ message: Wire.Message, flags: String = "01") {
        #expect(message.all("traceparent").count == 1)
        let parts = message["traceparent"]?.split(separator: "-").map(String.init) ?? []
        guard parts.count == 4 else {
            Issue.record("no traceparent")
            return
        }
        #expect(parts[0] == "00" && isNumber(parts[1]) && isNumber(parts[2], digits: 16) && parts[3] == flags)
        #expect(parts[1] != TracingTests.trace)
        #expect(message["X-Request-Id"] == nil || message["X-Request-Id"] == parts[1])
    }

    @Test func traceparentThatIsThereTwiceOrOfTheHopIsInvalid() throws {
        for fields in [
            "traceparent: \(TracingTests.valid)\r\ntraceparent: \(TracingTests.valid)\r\n",
            "traceparent: \(TracingTests.valid)\r\ntraceparent: x\r\n",
            "traceparent: \(TracingTests.valid)\r\nConnection: TraceParent\r\n",
            "tracestate: foo=1\r\n",
        ] {
            let dropped = try seen(fields, TracingPolicy())
            #expect(dropped["traceparent"] == nil && dropped["tracestate"] == nil, "\(fields)")
            expectNewTrace(try seen(fields, TracingPolicy(requestID: .off, traceparent: .create)))
        }
    }

    @Test func onlyTrustedProxiesContinueATraceThatRestarts() throws {
        let restart = TracingPolicy(traceparent: .restart, sampledPercent: 0)
        let fields = "traceparent: \(TracingTests.valid)\r\ntracestate: foo=1\r\n"
        let stranger = try seen(fields, restart)
        expectNewTrace(stranger, flags: "00")
        #expect(stranger["tracestate"] == nil)
        let proxy = try seen(fields, restart, isTrusted: true)
        #expect(proxy["traceparent"] == TracingTests.valid && proxy["tracestate"] == "foo=1")
    }

    // The log.

    @Test func logNamesRequestAndTrace() throws {
        let content = AccessLogContent(format: .json, fields: [.traceId, .status, .requestId])
        let log = try TestLog(content)
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway(
            configuration(backend, TracingPolicy(requestID: .keep, traceparent: .create)), options: log.options)
        let client = try gateway.connect()
        _ = try client.get(fields: "X-Request-Id: \"\\\r\ntraceparent: \(TracingTests.valid)\r\n")
        _ = try client.get()
        let lines = try log.lines(2, gateway)
        let made = try #require(backend.requests.last?["X-Request-Id"])
        #expect(lines[0] == "{\"traceId\":\"\(TracingTests.trace)\",\"status\":200,\"requestId\":\"\\u0022\\u005c\"}")
        #expect(lines[1] == "{\"traceId\":\"\(made)\",\"status\":200,\"requestId\":\"\(made)\"}")
    }

    @Test func fileHasEveryChoice() throws {
        let start = "{listeners: [{name: 'web', port: 80}], routes: [], upstreams: [], tracing: "
        func read(_ text: String) throws -> TracingPolicy {
            try GatewayConfiguration.read(Array("\(start)\(text)}".utf8), file: "g").tracing
        }
        #expect(try read("{}") == .standard)
        #expect(
            try read("{requestId: 'keep', requestIdField: 'a', traceparent: 'restart', sampledPercent: 5}")
                == TracingPolicy(requestID: .keep, requestIDField: "a", traceparent: .restart, sampledPercent: 5))
        for bad in ["Host", "traceparent", "X-Forwarded-For", "a b", "", "x:", String(repeating: "a", count: 65)] {
            #expect(throws: ConfigurationProblems.self, "\(bad)") { try read("{requestIdField: '\(bad)'}") }
        }
        #expect(throws: ConfigurationProblems.self) { try read("{sampledPercent: 101}") }
    }
}

extension String {
    fileprivate func trimming(_ isOuter: (Character) -> Bool) -> String {
        var rest = self[...]
        while let last = rest.last, isOuter(last) { rest.removeLast() }
        return String(rest.drop(while: isOuter))
    }
}
