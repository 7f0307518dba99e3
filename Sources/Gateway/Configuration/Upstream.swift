import Posix
import TLS

/// A named group of backends that answer the same requests.
package struct Upstream: Hashable, Sendable {
    package var name: String
    package var algorithm: BalancingAlgorithm
    /// Addresses are unique within the upstream.
    package var backends: [Backend]
    /// nil: the backends are not checked actively and count as usable until requests to them fail.
    package var health: HealthCheck?
    package var timeouts: UpstreamTimeouts
    /// How many other backends a request may be sent to after the first one failed it, 0…10. Only a request that
    /// was not sent, or that is idempotent and got no byte of a response, is ever sent again.
    package var retries: Int
    package var retry: RetryPolicy
    package var ejection: EjectionPolicy
    package var limits: LoadLimits
    /// Over which a backend that comes back gets more and more of its share; zero: all of it at once.
    package var slowStart: Nanoseconds
    /// nil: a client's requests go wherever the algorithm sends them.
    package var sticky: StickySessions?
    /// Nil: the upstream asks for no number of backends.
    package var scaling: ScalingPolicy?
    /// How the backends are told whose connection it is; nil: they are not.
    package var proxyProtocol: ProxyHeaderVersion?
    /// Nil: connections to the backends are plain.
    package var tls: TLSClientSettings?

    package init(
        name: String, algorithm: BalancingAlgorithm = .roundRobin, backends: [Backend],
        health: HealthCheck? = .standard, timeouts: UpstreamTimeouts = .standard,
        retries: Int = Upstream.standardRetries, retry: RetryPolicy = .standard, ejection: EjectionPolicy = .standard,
        limits: LoadLimits = .standard, slowStart: Nanoseconds = .zero,
        sticky: StickySessions? = nil, scaling: ScalingPolicy? = nil, proxyProtocol: ProxyHeaderVersion? = nil,
        tls: TLSClientSettings? = nil
    ) {
        self.name = name
        self.algorithm = algorithm
        self.backends = backends
        self.health = health
        self.timeouts = timeouts
        self.retries = retries
        self.retry = retry
        self.ejection = ejection
        self.limits = limits
        self.slowStart = slowStart
        self.sticky = sticky
        self.scaling = scaling
        self.proxyProtocol = proxyProtocol
        self.tls = tls
    }

    package static let standardRetries = 2
}

/// How an upstream's next backend is chosen. The raw value is the name in files and in the API.
package enum BalancingAlgorithm: String, Hashable, Sendable, CaseIterable {
    /// In turn, smoothly by weight; without weights strictly one after the other.
    case roundRobin = "round-robin"
    /// At random, with a probability in proportion to the weight.
    case random = "random"
    /// As `roundRobin`, but every backend must state its weight, so that none is forgotten.
    case weighted = "weighted"
    /// The fewest running requests in proportion to the weight.
    case leastConnections = "least-connections"
    /// Of two drawn at random the one with fewer running requests in proportion to the weight.
    case leastRequestP2C = "least-request-p2c"
    /// Of two drawn at random the one that would answer sooner, by its answers of late and its running requests.
    case peakEWMA = "peak-ewma"
    /// By the client's address, consistently: the same client keeps its backend on every node.
    case ipHash = "ip-hash"
}

/// One server of an upstream.
package struct Backend: Hashable, Sendable {
    package var address: SocketAddress
    /// Its share in relation to the others, 1…1000.
    package var weight: Int
    /// Takes requests only when no backend without this mark does.
    package var isBackup: Bool

    package init(address: SocketAddress, weight: Int = 1, isBackup: Bool = false) {
        self.address = address
        self.weight = weight
        self.isBackup = isBackup
    }
}

/// How a backend is checked, and how many results it takes to change one's mind.
package struct HealthCheck: Hashable, Sendable {
    package enum Probe: Hashable, Sendable {
        /// The backend accepts a TCP connection.
        case tcp
        /// The backend answers a GET with an expected status.
        case http(HTTPProbe)
    }

    package struct HTTPProbe: Hashable, Sendable {
        /// Path and query of the request, beginning with `/`.
        package var path: String
        /// The `Host` field; nil sends the backend's address.
        package var host: String?
        /// The statuses that count as success, within 100…599.
        package var statuses: ClosedRange<Int>

        package init(path: String = "/", host: String? = nil, statuses: ClosedRange<Int> = 200...399) {
            self.path = path
            self.host = host
            self.statuses = statuses
        }
    }

    package var probe: Probe
    /// From the start of one probe to the start of the next.
    package var interval: Nanoseconds
    /// A probe without a result after this time has failed. Never longer than `interval`.
    package var timeout: Nanoseconds
    /// Successes in a row after which a backend that was down is up, 1…100.
    package var rise: Int
    /// Failures in a row after which a backend that was up is down, 1…100.
    package var fall: Int

    package init(
        probe: Probe = .tcp, interval: Nanoseconds = .seconds(1), timeout: Nanoseconds = .milliseconds(500),
        rise: Int = 2, fall: Int = 2
    ) {
        self.probe = probe
        self.interval = interval
        self.timeout = timeout
        self.rise = rise
        self.fall = fall
    }

    /// The check of an upstream that says nothing about health.
    package static let standard = HealthCheck()
}

/// How long a request waits for its backend.
package struct UpstreamTimeouts: Hashable, Sendable {
    /// For the TCP connection, with TLS its handshake too.
    package var connect: Nanoseconds
    /// From the last byte of the request to the head of the response.
    package var response: Nanoseconds
    /// Without a byte in either direction while a body is on its way.
    package var idle: Nanoseconds
    /// For which an unused connection is kept.
    package var keepAlive: Nanoseconds
    /// From the head of the request to the last byte of the response, retries and pauses included; nil for no limit.
    /// Tunnels have none.
    package var total: Nanoseconds?

    package init(
        connect: Nanoseconds, response: Nanoseconds, idle: Nanoseconds, keepAlive: Nanoseconds = .seconds(30),
        total: Nanoseconds? = nil
    ) {
        self.connect = connect
        self.response = response
        self.idle = idle
        self.keepAlive = keepAlive
        self.total = total
    }

    package static let standard = UpstreamTimeouts(
        connect: .milliseconds(1500), response: .seconds(60), idle: .seconds(60))
}
