import Gateway
import Glibc
import Posix
import Synchronization
import Testing

/// A worker pool in front of test backends.
final class TestGateway {
    let pool: WorkerPool
    let address: SocketAddress
    let listener: ListenerID
    private(set) var registry: RuntimeRegistry
    private var generation: UInt64 = 1
    /// Nil: clients speak plain HTTP.
    let secrets: TestSecrets?

    /// Routes `/` to `backends`.
    convenience init(
        _ backends: [SocketAddress], timeouts: UpstreamTimeouts = .standard, retries: Int = 2,
        clients: ClientPolicy = .standard, options: ProxyOptions = ProxyOptions(limits: TestGateway.limits)
    ) throws {
        let configuration = TestGateway.configuration(
            backends, timeouts: timeouts, retries: retries, clients: clients)
        try self.init(configuration, options: options)
    }

    init(
        _ configuration: GatewayConfiguration, options: ProxyOptions = ProxyOptions(limits: TestGateway.limits),
        secrets: TestSecrets? = TestSecrets.forAll, securities: BackendSecurities = .none,
        isUsable: (BackendKey) -> Bool = { _ in true }
    ) throws {
        self.secrets = secrets
        registry = RuntimeRegistry(firstStep: 0, workers: options.workers)
        let table = RoutingTable(
            configuration, generation: 1, registry: &registry, oldestAdopted: 0, securities: securities,
            isUsable: isUsable)
        pool = try WorkerPool(options, table: table)
        if let secrets {
            var plan = ListenerTermsPlan()
            plan.set(try secrets.terms(), port: 0)
            pool.setTerms(plan)
        }
        (listener, address) = try pool.addListener(SocketAddress("127.0.0.1:0")!)
    }

    deinit { pool.stop() }

    static let limits = ProxyLimits(clients: 4096, upstreamConnections: 1024, idlePerBackend: 64)

    static func configuration(
        _ backends: [SocketAddress], timeouts: UpstreamTimeouts = .standard, retries: Int = 2, path: String = "/",
        clients: ClientPolicy = .standard
    ) -> GatewayConfiguration {
        let upstream = Upstream(
            name: "main", backends: backends.map { Backend(address: $0) }, health: nil, timeouts: timeouts,
            retries: retries)
        return GatewayConfiguration(
            listeners: [Listener(name: "web", port: 80)], routes: [Route(path: path, upstream: "main")],
            upstreams: [upstream], clients: clients)
    }

    func publish(
        _ configuration: GatewayConfiguration, securities: BackendSecurities = .none,
        isUsable: (BackendKey) -> Bool = { _ in true }
    ) {
        generation += 1
        pool.publish(
            RoutingTable(
                configuration, generation: generation, registry: &registry,
                oldestAdopted: pool.oldestAdoptedGeneration, securities: securities, isUsable: isUsable))
    }

    /// What backends are told.
    var scheme: String { secrets == nil ? "http" : "https" }

    var publishedGeneration: UInt64 { generation }

    func connect(receiveBuffer: Int32? = nil) throws -> Wire {
        let wire = try Wire(to: address, receiveBuffer: receiveBuffer)
        if let secrets { try wire.secure(SecureEnd(try secrets.client())) }
        return wire
    }

    /// Requests under way at a backend, by the counter that balancing uses.
    func activeRequests(_ backend: SocketAddress) -> Int {
        let runtime = registry.runtime(BackendKey(upstream: "main", address: backend))
        return runtime?.counters.pointee.activeRequests.load(ordering: .acquiring) ?? -1
    }

    var measures: UpstreamMeasures { registry.measures(upstream: "main") ?? UpstreamMeasures() }

    func avoidance(_ backend: SocketAddress) -> BackendAvoidance? {
        registry.avoidance(BackendKey(upstream: "main", address: backend), at: .now())
    }

    func failures(_ backend: SocketAddress) -> Int {
        counters(backend)?.pointee.failures.load(ordering: .relaxed) ?? -1
    }

    func ejections(_ backend: SocketAddress) -> Int {
        counters(backend)?.pointee.ejections.load(ordering: .relaxed) ?? -1
    }

    private func counters(_ backend: SocketAddress) -> BackendCountersReference? {
        registry.runtime(BackendKey(upstream: "main", address: backend))?.counters
    }

    /// Waits until `condition` holds, at most twenty seconds.
    func wait(_ condition: () -> Bool) -> Bool {
        let deadline = Instant.now() + .seconds(20)
        while Instant.now() < deadline {
            if condition() { return true }
            sched_yield()
        }
        return false
    }
}

extension Wire {
    static let get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

    func get(_ path: String = "/", fields: String = "") throws -> Message {
        try send("GET \(path) HTTP/1.1\r\nHost: test\r\n\(fields)\r\n")
        return try message()
    }
}
