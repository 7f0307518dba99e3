import Posix

/// How the data path serves; fixed at start.
package struct ProxyOptions: Sendable {
    /// Threads that serve clients, 1…256.
    package var workers: Int
    /// What tools show for the threads: worker n is `name-n`. At most 11 bytes.
    package var threadName: String
    /// Binds worker n to processor n, wrapping round.
    package var pinsWorkers: Bool
    package var limits: ProxyLimits
    package var timeouts: ClientTimeouts
    package var memory: MemoryLimits

    package init(
        workers: Int = 1, threadName: String = "worker", pinsWorkers: Bool = false, limits: ProxyLimits = .standard,
        timeouts: ClientTimeouts = .standard, memory: MemoryLimits = MemoryLimits()
    ) {
        precondition(1...256 ~= workers, "1 to 256 workers")
        self.workers = workers
        self.threadName = threadName
        self.pinsWorkers = pinsWorkers
        self.limits = limits
        self.timeouts = timeouts
        self.memory = memory
    }
}

/// Counts of one worker, unless something else is said.
package struct ProxyLimits: Sendable {
    /// Client connections at once; further ones are reset and counted as refused.
    package var clients: Int
    /// Client connections at once from one address (IPv6: one /64), over all workers; nil: as many as there are.
    package var clientsPerAddress: Int?
    /// Connections to backends at once, idle ones included.
    package var upstreamConnections: Int
    /// Idle connections kept for one backend.
    package var idlePerBackend: Int

    package init(clients: Int, clientsPerAddress: Int? = nil, upstreamConnections: Int, idlePerBackend: Int) {
        self.clients = clients
        self.clientsPerAddress = clientsPerAddress
        self.upstreamConnections = upstreamConnections
        self.idlePerBackend = idlePerBackend
    }

    package static let standard = ProxyLimits(clients: 65_536, upstreamConnections: 32_768, idlePerBackend: 256)
}

/// How long a client may take, and how long idle connections are kept.
package struct ClientTimeouts: Sendable {
    /// From the first byte of a request head, or from the accept, to the head's end.
    package var requestHead: Nanoseconds
    /// Over which a request body has to come at `minimumRate` at least.
    package var requestBody: Nanoseconds
    /// Between a response and the next request.
    package var keepAlive: Nanoseconds
    /// Over which a client has to take a response at `minimumRate` at least.
    package var write: Nanoseconds
    /// Bytes a second. The time in which the gateway itself does not read or write does not count.
    package var minimumRate: UInt64
    /// After the last response byte, for the client to close or to read an early answer.
    package var linger: Nanoseconds
    /// Without a byte in either direction through a tunnel.
    package var tunnel: Nanoseconds
    /// Of a backend connection in the pool.
    package var idleUpstream: Nanoseconds
    /// For which a backend that failed a connect is passed over.
    package var ejection: Nanoseconds
    /// Before accepting again after the process ran out of descriptors or memory.
    package var acceptPause: Nanoseconds

    package init(
        requestHead: Nanoseconds = .seconds(10), requestBody: Nanoseconds = .seconds(30),
        keepAlive: Nanoseconds = .seconds(60), write: Nanoseconds = .seconds(30), minimumRate: UInt64 = 256,
        linger: Nanoseconds = .seconds(2),
        tunnel: Nanoseconds = .seconds(3600), idleUpstream: Nanoseconds = .seconds(30),
        ejection: Nanoseconds = .seconds(5), acceptPause: Nanoseconds = .milliseconds(200)
    ) {
        self.requestHead = requestHead
        self.requestBody = requestBody
        self.keepAlive = keepAlive
        self.write = write
        self.minimumRate = minimumRate
        self.linger = linger
        self.tunnel = tunnel
        self.idleUpstream = idleUpstream
        self.ejection = ejection
        self.acceptPause = acceptPause
    }

    package static let standard = ClientTimeouts()

    /// The fewest bytes that are to move within `time`.
    func leastBytes(in time: Nanoseconds) -> Int { Int(time.count / 1_000_000 * minimumRate / 1000) }
}
