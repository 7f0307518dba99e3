import Gateway
import Posix
import Testing

/// The lines that reading `text` as a gateway file gives; empty when it is right.
private func problems(in text: String) -> [String] {
    do throws(ConfigurationProblems) {
        _ = try GatewayConfiguration.read(Array(text.utf8), file: "g.json5")
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

/// A file that is right but for the given parts.
private func file(listeners: String = "[{name: 'web', port: 80}]", routes: String = "[]", upstreams: String = "[]")
    -> String
{
    "{listeners: \(listeners), routes: \(routes), upstreams: \(upstreams)}"
}

private func upstream(_ rest: String) -> String { file(upstreams: "[{name: 'a', \(rest)}]") }

@Suite struct GatewayFileTests {
    @Test func readsEveryKey() throws {
        let text = """
            // The whole of it.
            {
                virtualAddresses: ["192.0.2.1", "2001:db8::1"],
                listeners: [{ name: "web", port: 80 }],
                routes: [
                    { host: "*.Example.org", path: "/api", upstream: "api" },
                    { host: "example.org", path: "/", upstream: "api" },
                    { path: "/", upstream: "api" },
                ],
                upstreams: [
                    {
                        name: "api",
                        algorithm: "weighted",
                        backends: [
                            { address: "10.0.0.1:8080", weight: 5 },
                            { address: "[fd00::1]:8080", weight: 1, backup: true },
                        ],
                        health: {
                            type: "http", path: "/health?full=1", host: "api.example.org", statuses: "200-204",
                            interval: "2s", timeout: "1s", rise: 3, fall: 4,
                        },
                        timeouts: { connect: "100ms", response: "1m", idle: "1h", keepAlive: "5s", total: "2h" },
                        retries: 0,
                        retryPolicy: {
                          statuses: [503], tryTimeout: "1s", backoff: "5ms", maximumBackoff: "1s", budgetPercent: 10,
                          minimumPerSecond: 3,
                        },
                        ejection: {
                          consecutiveFailures: 7, excessPercent: 20, minimumRequests: 50, interval: "5s", time: "1s",
                          maximumTime: "1m", maximumPercent: 30,
                        },
                        limits: { requests: 100, requestsPerBackend: 50, queue: 20, queueTimeout: "3s" },
                        slowStart: "30s",
                        sticky: {
                          secret: "sixteen bytes at least", cookie: "where", secure: true, sameSite: "none",
                          maximumAge: "1h",
                        },
                    },
                ],
                clients: {
                    limits: {
                        headBytes: 16384, requestLineBytes: 4096, fields: 64, bodyBytes: 1048576,
                        connectionsPerAddress: 50,
                    },
                    timeouts: {
                        head: "5s", body: "10s", keepAlive: "15s", write: "20s", tunnel: "1h",
                        minimumBytesPerSecond: 1000,
                    },
                    trustedProxies: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.9"],
                    forwardedField: "forwarded",
                },
            }
            """
        let probe = HealthCheck.HTTPProbe(path: "/health?full=1", host: "api.example.org", statuses: 200...204)
        let expected = GatewayConfiguration(
            virtualAddresses: [IPAddress("192.0.2.1")!, IPAddress("2001:db8::1")!],
            listeners: [Listener(name: "web", port: 80)],
            routes: [
                Route(host: .wildcard("example.org"), path: "/api", upstream: "api"),
                Route(host: .exact("example.org"), path: "/", upstream: "api"),
                Route(path: "/", upstream: "api"),
            ],
            upstreams: [
                Upstream(
                    name: "api", algorithm: .weighted,
                    backends: [
                        Backend(address: SocketAddress("10.0.0.1:8080")!, weight: 5),
                        Backend(address: SocketAddress("[fd00::1]:8080")!, weight: 1, isBackup: true),
                    ],
                    health: HealthCheck(
                        probe: .http(probe), interval: .seconds(2), timeout: .seconds(1), rise: 3, fall: 4),
                    timeouts: UpstreamTimeouts(
                        connect: .milliseconds(100), response: .seconds(60), idle: .seconds(3600),
                        keepAlive: .seconds(5), total: .seconds(7200)),
                    retries: 0,
                    retry: RetryPolicy(
                        statuses: [503], tryTimeout: .seconds(1), backoff: .milliseconds(5),
                        maximumBackoff: .seconds(1), budget: RetryBudget.Terms(percent: 10, minimumPerSecond: 3)),
                    ejection: EjectionPolicy(
                        consecutiveFailures: 7, excessPercent: 20, minimumRequests: 50, interval: .seconds(5),
                        time: .seconds(1), maximumTime: .seconds(60), maximumPercent: 30),
                    limits: LoadLimits(
                        requests: 100, requestsPerBackend: 50, queue: 20, queueTimeout: .seconds(3)),
                    slowStart: .seconds(30),
                    sticky: StickySessions(
                        cookie: "where", secret: "sixteen bytes at least", isSecure: true, sameSite: .none,
                        maximumAge: .seconds(3600)))
            ],
            clients: ClientPolicy(
                limits: ClientLimits(
                    head: HeadLimits(bytes: 16384, requestLineBytes: 4096, fields: 64), bodyBytes: 1_048_576,
                    connectionsPerAddress: 50),
                timeouts: ClientTimeouts(
                    requestHead: .seconds(5), requestBody: .seconds(10), keepAlive: .seconds(15), write: .seconds(20),
                    tunnel: .seconds(3600), minimumRate: 1000),
                trustedProxies: [
                    IPNetwork(IPAddress("10.0.0.0")!, prefixLength: 8)!,
                    IPNetwork(IPAddress("2001:db8::")!, prefixLength: 32)!,
                    IPNetwork(IPAddress("192.0.2.9")!, prefixLength: 32)!,
                ],
                forwardedField: .forwarded))
        #expect(try GatewayConfiguration.read(Array(text.utf8), file: "g.json5") == expected)
    }

    @Test func leftOutKeysHaveTheDefaultsOfTheTypes() throws {
        let text = upstream("backends: [{address: '10.0.0.1:80'}]")
        let expected = GatewayConfiguration(
            listeners: [Listener(name: "web", port: 80)], routes: [],
            upstreams: [Upstream(name: "a", backends: [Backend(address: SocketAddress("10.0.0.1:80")!)])])
        #expect(try GatewayConfiguration.read(Array(text.utf8), file: "g.json5") == expected)
    }

    @Test(arguments: ["tcp", "http", "none"]) func emptyHealthObjectHasTheDefaults(type: String) throws {
        let text = upstream("backends: [{address: '10.0.0.1:80'}], health: {type: '\(type)'}")
        let health = try GatewayConfiguration.read(Array(text.utf8), file: "g.json5").upstreams[0].health
        switch type {
        case "tcp": #expect(health == HealthCheck())
        case "http": #expect(health == HealthCheck(probe: .http(HealthCheck.HTTPProbe())))
        case _: #expect(health == nil)
        }
    }

    @Test func reportsAllProblemsInTheOrderOfTheFile() {
        let text = """
            {
                listeners: [{ name: "web", prt: 80 }],
                routes: [
                    { path: "/api/", upstream: "a" },
                    { path: "/b", upstream: "appi" },
                ],
                upstreams: [
                    { name: "api", algorithm: "round_robin", backends: [
                        { address: "localhost:80" }, { address: "10.0.0.1:80", weight: 0 },
                    ] },
                    { name: "api", backends: [], health: { type: "tcp", interval: 5 } },
                ],
            }
            """
        #expect(
            problems(in: text) == [
                "g.json5:2:17: listeners[0].port: missing; use a whole number from 1 to 65535",
                "g.json5:2:32: listeners[0].prt: unknown key; did you mean \"port\"?",
                "g.json5:4:17: routes[0].path: \"/api/\" ends with a slash; "
                    + "leave it out: a path matches whole segments, so \"/api\" does not match \"/apis\"",
                "g.json5:4:36: routes[0].upstream: there is no upstream \"a\"; use \"api\"",
                "g.json5:5:33: routes[1].upstream: there is no upstream \"appi\"; did you mean \"api\"?",
                "g.json5:8:35: upstreams[0].algorithm: \"round_robin\" is unknown; did you mean \"round-robin\"?",
                "g.json5:9:24: upstreams[0].backends[0].address: \"localhost\" is a name, and names are not resolved "
                    + "here; use an address and port such as \"192.0.2.10:8080\" or \"[2001:db8::10]:8080\"",
                "g.json5:9:76: upstreams[0].backends[1].weight: \"0\" is out of range; "
                    + "use a whole number from 1 to 1000",
                "g.json5:11:17: upstreams[1].name: \"api\" is here for the second time; the first is on line 8",
                "g.json5:11:71: upstreams[1].health.interval: found a number; "
                    + "use a duration from 50ms to 1h, such as \"500ms\", \"2s\" or \"1m\"",
            ])
    }

    @Test func routesOverrideTheirUpstream() throws {
        let text = """
            {
              listeners: [{ name: 'web', port: 80 }],
              upstreams: [{ name: 'a', backends: [{ address: '10.0.0.1:80' }] }],
              routes: [
                { path: '/', upstream: 'a' },
                {
                  path: '/quick', upstream: 'a', retries: 0, timeouts: { total: '2s', response: '1s' },
                  retryPolicy: { statuses: [502], tryTimeout: '100ms' },
                },
              ],
            }
            """
        let gateway = try GatewayConfiguration.read(Array(text.utf8), file: "g.json5")
        #expect(gateway.routes[0].policy == .none)
        #expect(
            gateway.routes[1].policy
                == RoutePolicy(
                    timeouts: .init(response: .seconds(1), total: .seconds(2)), retries: 0,
                    retry: .init(statuses: [502], tryTimeout: .milliseconds(100))))
        let mistakes = [
            (
                text.replacing("statuses: [502]", with: "backoff: '1s'"),
                "routes: a route has a backoff that is longer than maximumBackoff"
            ),
            (
                text.replacing("statuses: [502]", with: "hedgeDelay: '1s'").replacing(
                    "name: 'a',", with: "name: 'a', sticky: { secret: 'a secret of sixteen' },"),
                "upstreams: requests of an upstream with sticky would go to two backends"
            ),
        ]
        for (wrong, problem) in mistakes {
            do throws(ConfigurationProblems) {
                _ = try GatewayConfiguration.read(Array(wrong.utf8), file: "g.json5")
                Issue.record("accepted: \(wrong)")
            } catch {
                #expect("\(error)".contains(problem))
            }
        }
    }

    @Test(arguments: [
        (file(listeners: "{}"), "listeners: found an object; use an array of 1 to 16 elements"),
        (
            file(listeners: "[80]"),
            "listeners[0]: found a number; use an object with name, port, tls, redirectTo, proxyProtocolFrom"
        ),
        (
            file(listeners: "[{name: 'a', port: 80}, {name: 'b', port: 80}]"),
            "listeners[1].port: \"80\" is here for the second time; the first is on line 1"
        ),
        (
            file(listeners: "[{name: '-a', port: 80}]"),
            "listeners[0].name: \"-a\" is no name; use a name of 1 to 64 letters, digits, `-`, `_` or `.` "
                + "that begins with a letter or digit"
        ),
        (
            file(listeners: "[{name: 'a', port: 80.5}]"),
            "listeners[0].port: \"80.5\" is not a whole number; use a whole number from 1 to 65535"
        ),
        (
            file(listeners: "[{name: 'a', port: Infinity}]"),
            "listeners[0].port: \"Infinity\" is out of range; use a whole number from 1 to 65535"
        ),
        (
            file(listeners: "[{name: 'a', port: NaN}]"),
            "listeners[0].port: \"NaN\" is not a whole number; use a whole number from 1 to 65535"
        ),
        (
            file(listeners: "[{name: 'a', port: 80, port: 81}]"),
            "listeners[0].port: duplicate key; the first is on line 1"
        ),
        (
            file(
                routes: "[{host: 'a:80', path: '/', upstream: 'a'}]",
                upstreams: "[{name: 'a', backends: [{address: '10.0.0.1:80'}]}]"),
            "routes[0].host: \"a:80\" is no host name; "
                + "use a host name such as \"example.org\" or \"*.example.org\", without a port, or \"*\""
        ),
        (
            file(routes: "[{path: '/', upstream: 'a'}]", upstreams: "[]"),
            "routes[0].upstream: there is no upstream \"a\"; define it"
        ),
        (
            upstream("algorithm: 'weighted', backends: [{address: '10.0.0.1:80'}]"),
            "upstreams[0].backends[0].weight: missing; use a whole number from 1 to 1000"
        ),
        (
            upstream("backends: [{address: '10.0.0.1:80'}, {address: '10.0.0.1:80'}]"),
            "upstreams[0].backends[1].address: \"10.0.0.1:80\" is here for the second time; the first is on line 1"
        ),
        (
            upstream("backends: [{address: '10.0.0.1:80'}], health: {path: '/'}"),
            "upstreams[0].health.path: unknown key; use one of \"type\", \"interval\", \"timeout\", \"rise\", \"fall\""
        ),
        (
            upstream("backends: [{address: '10.0.0.1:80'}], health: {type: 'htp', path: '/'}"),
            "upstreams[0].health.type: \"htp\" is unknown; did you mean \"http\"?"
        ),
        (
            upstream("backends: [{address: '10.0.0.1:80'}], health: {interval: '100ms'}"),
            "upstreams[0].health.timeout: longer than the interval; use at most the interval"
        ),
        (
            upstream("backends: [{address: '10.0.0.1:80'}], timeouts: {connect: '2m'}"),
            "upstreams[0].timeouts.connect: \"2m\" is out of range; use a duration from 10ms to 1m"
        ),
        (
            upstream("backends: [{address: '10.0.0.1:80'}], health: {type: 'http', statuses: '399-200'}"),
            "upstreams[0].health.statuses: \"399-200\" is no status or range; "
                + "use a status such as \"200\" or a range such as \"200-399\", within 100 to 599"
        ),
    ]) func reportsOneProblem(text: String, expected: String) {
        let lines = problems(in: text)
        #expect(lines.count == 1)
        #expect(lines.first?.hasSuffix(": \(expected)") == true, "\(lines)")
    }

    @Test(arguments: [
        ("/", true), ("/a", true), ("/a/b-_.~c", true), ("/a%2Fb", true), ("/caf%C3%A9", true), ("/a:b@c=d", true),
        ("", false), ("a", false), ("//", false), ("/a//b", false), ("/a/../b", false), ("/a?b", false),
        ("/a#b", false), ("/caf\u{e9}", false), ("/a%2fb", false), ("/%41", false), ("/%00", false), ("/%4", false),
    ]) func routePathIsInNormalForm(path: String, isRight: Bool) {
        let text = file(
            routes: "[{path: '\(path)', upstream: 'a'}]",
            upstreams: "[{name: 'a', backends: [{address: '10.0.0.1:80'}]}]")
        #expect(problems(in: text).isEmpty == isRight)
    }

    @Test func routesOfTheSameHostAndPathAreRefused() {
        let text = file(
            routes: "[{host: 'A.org', path: '/', upstream: 'a'}, {host: 'a.org', path: '/', upstream: 'a'}]",
            upstreams: "[{name: 'a', backends: [{address: '10.0.0.1:80'}]}]")
        #expect(
            problems(in: text) == [
                "g.json5:1:92: routes[1]: \"a.org /\" is here for the second time; the first is on line 1"
            ])
    }

    @Test func floodOfProblemsIsCutOff() {
        let lines = problems(
            in: file(listeners: "[{name: 'web', port: 80}]", routes: "[\(String(repeating: "1,", count: 500))]"))
        #expect(lines.count == 101)
        #expect(lines.last?.hasSuffix("file: 400 more problems from here on; correct the ones before first") == true)
    }
}
