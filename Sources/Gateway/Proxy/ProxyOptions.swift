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
    package var pauses: ProxyPauses
    package var memory: MemoryLimits
    package var engine: EngineChoice
    /// Nil: requests are not logged.
    package var accessLog: AccessLogOptions?
    /// Nil: a killed process takes its connections with it.
    package var custody: Custody?
    /// Nil: other nodes are told nothing of open connections.
    package var sharing: ConnectionSharing?

    package init(
        workers: Int = 1, threadName: String = "worker", pinsWorkers: Bool = false, limits: ProxyLimits = .standard,
        pauses: ProxyPauses = ProxyPauses(), memory: MemoryLimits = MemoryLimits(),
        engine: EngineChoice = .auto, accessLog: AccessLogOptions? = nil,
        custody: Custody? = nil, sharing: ConnectionSharing? = nil
    ) {
        precondition(1...256 ~= workers, "1 to 256 workers")
        self.workers = workers
        self.threadName = threadName
        self.pinsWorkers = pinsWorkers
        self.limits = limits
        self.pauses = pauses
        self.memory = memory
        self.engine = engine
        self.accessLog = accessLog
        self.custody = custody
        self.sharing = sharing
    }
}

/// How many connections a node takes and makes.
package struct ProxyLimits: Sendable {
    /// Client connections at once, over all workers; further ones are reset and counted as refused.
    package var clients: Int
    /// Connections of one worker to backends at once, idle ones included.
    package var upstreamConnections: Int
    /// Idle connections that one worker keeps for one backend.
    package var idlePerBackend: Int
    /// Connections that may wait in the kernel for one worker to accept them.
    package var backlog: Int32

    package init(clients: Int, upstreamConnections: Int, idlePerBackend: Int, backlog: Int32 = 4096) {
        self.clients = clients
        self.upstreamConnections = upstreamConnections
        self.idlePerBackend = idlePerBackend
        self.backlog = backlog
    }

    package static let standard = ProxyLimits(clients: 65_536, upstreamConnections: 32_768, idlePerBackend: 1024)
}

/// Times that are no client's or backend's business to choose.
package struct ProxyPauses: Sendable {
    /// After the last response byte, for the client to close or to read an early answer.
    package var linger: Nanoseconds
    /// For which a backend that failed a connect is passed over.
    package var ejection: Nanoseconds
    /// Before accepting again after the process ran out of descriptors or memory.
    package var accept: Nanoseconds

    package init(
        linger: Nanoseconds = .seconds(2), ejection: Nanoseconds = .seconds(5),
        accept: Nanoseconds = .milliseconds(200)
    ) {
        self.linger = linger
        self.ejection = ejection
        self.accept = accept
    }
}
