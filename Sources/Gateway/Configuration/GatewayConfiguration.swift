import Posix

/// What the gateway serves: the replicated part of the configuration, equal on every node.
///
/// A value of this type that came from `GatewayConfiguration.read` is consistent: names are unique, every route's
/// upstream exists, and every number is in its range.
package struct GatewayConfiguration: Hashable, Sendable {
    /// Held by the elected node and by no other, unless they are spread; at most `Limit.virtualAddresses`.
    package var virtualAddresses: [IPAddress]
    /// Each is then held by one of the nodes.
    package var spreadsAddresses: Bool
    /// At least one; names and ports are unique.
    package var listeners: [Listener]
    /// In the file's order, which does not matter for routing: see `Route`.
    package var routes: [Route]
    /// Names are unique. An upstream that no route uses is allowed, and its backends are checked all the same.
    package var upstreams: [Upstream]
    /// The same for all listeners.
    package var clients: ClientPolicy
    /// The same for all requests, also for those that no route takes.
    package var tracing: TracingPolicy

    package init(
        virtualAddresses: [IPAddress] = [], spreadsAddresses: Bool = false, listeners: [Listener], routes: [Route],
        upstreams: [Upstream],
        clients: ClientPolicy = .standard, tracing: TracingPolicy = .standard
    ) {
        self.virtualAddresses = virtualAddresses
        self.spreadsAddresses = spreadsAddresses
        self.listeners = listeners
        self.routes = routes
        self.upstreams = upstreams
        self.clients = clients
        self.tracing = tracing
    }

    /// Upper limits on what one file may ask for.
    package enum Limit {
        package static let virtualAddresses = 16
        package static let listeners = 16
        package static let routes = 10_000
        package static let upstreams = 1_000
        package static let backendsPerUpstream = 1_000
    }
}

/// A port on which clients are served, on the virtual addresses and on each node's own address.
package struct Listener: Hashable, Sendable {
    package var name: String
    package var port: UInt16
    /// Nil: plain HTTP.
    package var tls: ListenerTLS?
    /// The name of a secured listener to which clients of this one are sent; nil: they are served.
    package var redirectTo: String?
    /// The only peers that may connect: proxies that say first whose connection it is. Empty: anybody connects.
    package var proxies: [IPNetwork]

    package init(
        name: String, port: UInt16, tls: ListenerTLS? = nil, redirectTo: String? = nil, proxies: [IPNetwork] = []
    ) {
        self.name = name
        self.port = port
        self.tls = tls
        self.redirectTo = redirectTo
        self.proxies = proxies
    }
}

/// Sends requests for a host and a path prefix to an upstream.
///
/// The most specific route wins whatever the order: an exact host before the longest matching wildcard before any
/// host; among routes of the same host the longest path.
package struct Route: Hashable, Sendable {
    package var host: HostPattern
    /// Begins with `/` and has no trailing one, except `/` itself. Matches whole segments: `/api` matches `/api` and
    /// `/api/users` but not `/apis`.
    package var path: String
    /// The name of an upstream.
    package var upstream: String
    package var policy: RoutePolicy

    package init(host: HostPattern = .any, path: String, upstream: String, policy: RoutePolicy = .none) {
        self.host = host
        self.path = path
        self.upstream = upstream
        self.policy = policy
    }
}

/// Which `Host` values a route takes. Names are in lower case and carry no port.
package enum HostPattern: Hashable, Sendable, CustomStringConvertible {
    case any
    case exact(String)
    /// `.wildcard("example.org")` is written `*.example.org`: any name of one or more labels before the suffix,
    /// not the suffix itself.
    case wildcard(String)

    package var description: String {
        switch self {
        case .any: "*"
        case .exact(let name): name
        case .wildcard(let suffix): "*.\(suffix)"
        }
    }
}
