import Posix

/// The gateway file: its keys, their ranges, their defaults and what they mean.
extension GatewayConfiguration {
    /// Reads a gateway file, or throws everything that is wrong with it.
    package static func read(_ bytes: [UInt8], file: String) throws(ConfigurationProblems) -> GatewayConfiguration {
        try schema.read(bytes, file: file)
    }

    package static let schema = Schema<GatewayConfiguration>.object(
        .optional(
            "virtualAddresses", .array(of: .virtualAddress, count: 0...Limit.virtualAddresses), default: [],
            "Addresses that the elected node holds, and no other, unless they are spread."),
        .optional(
            "spreadVirtualAddresses", .boolean, default: false,
            "Shares the virtual addresses among the nodes, so that all carry traffic. Each address is still held by one "
                + "node at a time; those of a node that fails go to the leader."),
        .required(
            "listeners", .array(of: .listener, count: 1...Limit.listeners),
            "Ports on which clients are served, on the virtual addresses and on every node's own."),
        .required(
            "routes", .array(of: .route, count: 0...Limit.routes),
            "Which requests go to which upstream. The most specific route wins, whatever the order."),
        .required(
            "upstreams", .array(of: .upstream, count: 0...Limit.upstreams),
            "Groups of backends that answer the same requests."),
        .optional("clients", .clientPolicy, default: .standard, "What clients may do, and which of them are proxies."),
        .optional(
            "tracing", .tracing, default: .standard,
            "The number by which a request is found again in all logs, and W3C Trace Context."),
        make: GatewayConfiguration.init
    ).rule(
        at: "spreadVirtualAddresses", { !$0.spreadsAddresses || $0.virtualAddresses.count > 1 },
        wrong: "there are less than two virtual addresses to spread", right: "add addresses, or leave it out"
    ).rule(
        at: "listeners",
        { gateway in
            gateway.listeners.allSatisfy { listener in
                !gateway.listeners.contains { $0.name == listener.redirectTo && $0.tls == nil }
            }
        }, wrong: "a listener redirects to one without tls", right: "let redirectTo name a listener with tls"
    ).rule(
        at: "routes", { $0.haveRoutesGrowingPauses },
        wrong: "a route has a backoff that is longer than maximumBackoff, of which one is its upstream's",
        right: "use at most maximumBackoff"
    ).rule(
        at: "upstreams", \.isHedgingWithoutStickiness,
        wrong: "requests of an upstream with sticky would go to two backends", right: "leave out hedgeDelay or sticky")
}

extension Schema where Value == IPAddress {
    fileprivate static var virtualAddress: Schema {
        ipAddress.distinct().rule(
            { !$0.isUnspecified && !$0.isMulticast },
            wrong: "no address that a host can have", right: "use a free unicast address of the network")
    }
}

extension Schema where Value == Listener {
    fileprivate static let listener = object(
        .required("name", .name.distinct(), "How node files and messages call it."),
        .required("port", .port.distinct(), "The TCP port."),
        .optional("tls", .listenerTLS, "Serves HTTPS. Left out: plain HTTP."),
        .optional(
            "redirectTo", .name.reference(to: "listeners[].name", "listener"),
            "A listener with tls: every request is answered with 308 and the same address by HTTPS at that port."),
        .optional(
            "proxyProtocolFrom", .array(of: .proxyNetwork, count: 0...ClientPolicy.maximumTrustedProxies), default: [],
            "Proxies that begin each connection with a PROXY header, version 1 or 2, even before TLS: the client is whom "
                + "it names. All others are refused. Left out: clients connect by themselves."),
        make: Listener.init
    ).rule(
        at: "redirectTo", { $0.tls == nil || $0.redirectTo == nil },
        wrong: "clients of a listener with tls are served", right: "use it on a listener without tls")
}

extension Schema where Value == Route {
    fileprivate static let route = object(
        .optional(
            "host", .hostPattern, default: .any,
            "The host asked for, exactly, or as \"*.example.org\" for every name under it, or \"*\" for any."),
        .required(
            "path", .routePath, "The beginning of the path, in whole segments: \"/api\" takes \"/api/users\" too."),
        .required("upstream", .name.reference(to: "upstreams[].name", "upstream"), "Where the requests go."),
        .optional(
            "timeouts", .routeTimeouts, default: RoutePolicy.Timeouts(),
            "How long its requests wait, where that is not as in the upstream."),
        .optional(
            "retries", Schema<Int>.integer(0...10), "As in the upstream, whose value holds if this is left out."),
        .optional(
            "retryPolicy", .routeRetryPolicy, default: RoutePolicy.Retries(),
            "When its requests are repeated, where that is not as in the upstream, whose budget they share."),
        make: { host, path, upstream, timeouts, retries, retry in
            Route(
                host: host, path: path, upstream: upstream,
                policy: RoutePolicy(timeouts: timeouts, retries: retries, retry: retry))
        }
    ).distinct { "\($0.host) \($0.path)" }
}

extension Schema where Value == Upstream {
    fileprivate static let upstream = tagged("algorithm", default: BalancingAlgorithm.roundRobin) { algorithm in
        switch algorithm {
        case .weighted: upstream(of: .explicitlyWeightedBackend)
        case .roundRobin, .random, .leastConnections, .leastRequestP2C, .peakEWMA, .ipHash: upstream(of: .backend)
        }
    }

    private static func upstream(of backend: Schema<Backend>) -> Schema {
        object(
            .required("name", .name.distinct(), "How routes, commands and messages call it."),
            .optional(
                "algorithm", .choice, default: BalancingAlgorithm.roundRobin,
                "How the next backend is chosen. \"weighted\" is \"round-robin\" where each backend states its weight."),
            .required(
                "backends", .array(of: backend, count: 0...GatewayConfiguration.Limit.backendsPerUpstream),
                "The servers that are always there; others may register themselves."),
            .optional("health", .healthCheck, default: .standard, "How the backends are checked."),
            .optional("timeouts", .upstreamTimeouts, default: .standard, "How long a request waits for its backend."),
            .optional(
                "retries", .integer(0...10), default: Upstream.standardRetries,
                "How many other backends a request may be sent to after one failed it before it answered."),
            .optional("retryPolicy", .retryPolicy, default: .standard, "When and how often requests are repeated."),
            .optional(
                "ejection", .ejection, default: .standard,
                "When a backend is left alone because of how it answers requests."),
            .optional("limits", .loadLimits, default: .standard, "How much each node asks of the backends at a time."),
            .slowStart, .sticky, .scaling,
            .optional(
                "proxyProtocol", Schema<ProxyHeaderVersion>.choice,
                "Begins each connection to a backend with a PROXY header that names the client. Such connections are "
                    + "not shared. Left out: backends see the gateway's address."),
            .upstreamTLS,
            make: Upstream.init)
    }
}

extension Schema where Value == Backend {
    fileprivate static let backend = object(
        .address, .optional("weight", .weight, default: 1, weightDocumentation), .backup, make: Backend.init)

    fileprivate static let explicitlyWeightedBackend = object(
        .address, .required("weight", .weight, weightDocumentation), .backup, make: Backend.init)

    private static let weightDocumentation =
        "The share in relation to the other backends. To give a backend no requests, drain or disable it."
}

extension Field where Value == SocketAddress {
    fileprivate static var address: Field {
        .required("address", .socketAddress.distinct(), "The backend's numeric address and port.")
    }
}

extension Field where Value == Bool {
    fileprivate static var backup: Field {
        .optional("backup", .boolean, default: false, "It takes requests only when no other backend does.")
    }
}

extension Schema where Value == Int {
    fileprivate static var weight: Schema { integer(BackendEdit.weights) }
}

extension Schema where Value == UpstreamTimeouts {
    fileprivate static let upstreamTimeouts = object(
        wait(
            "connect", upTo: .seconds(60), default: Value.standard.connect,
            "For the TCP connection, and with tls its handshake."),
        wait(
            "response", upTo: .seconds(3600), default: Value.standard.response,
            "From the last byte of the request to the head of the response."),
        wait(
            "idle", upTo: .seconds(3600), default: Value.standard.idle,
            "Without a byte in either direction while a body is on its way."),
        wait(
            "keepAlive", upTo: .seconds(3600), default: Value.standard.keepAlive,
            "For which an unused connection is kept. Use less than the backend does."),
        total,
        make: { connect, response, idle, keepAlive, total in
            UpstreamTimeouts(connect: connect, response: response, idle: idle, keepAlive: keepAlive, total: total)
        })

    private static var total: Field<Nanoseconds?> {
        .optional(
            "total", Schema<Nanoseconds>.duration(from: .milliseconds(10), to: .seconds(86_400)),
            "From the request's head to the response's last byte, retries included. Left out: no limit.")
    }

    private static func wait(
        _ key: String, upTo longest: Nanoseconds, default standard: Nanoseconds, _ documentation: String
    ) -> Field<Nanoseconds> {
        .optional(key, .duration(from: .milliseconds(10), to: longest), default: standard, documentation)
    }
}
