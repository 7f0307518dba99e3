/// How many connections a machine is to bear.
package struct NodeLimits: Hashable, Sendable {
    /// Of clients, over all workers; further ones are reset.
    package var connections: Int
    /// To backends, over all workers, idle ones included. Beyond it requests are answered with 502.
    package var backendConnections: Int
    /// Connections that may wait in the kernel for one worker. The kernel bounds it by net.core.somaxconn.
    package var backlog: Int

    package init(connections: Int = 65_536, backendConnections: Int = 65_536, backlog: Int = 4096) {
        self.connections = connections
        self.backendConnections = backendConnections
        self.backlog = backlog
    }

    package static let standard = NodeLimits()
}

extension ProxyLimits {
    /// Connections to backends are shared out evenly, for each worker has a pool of its own.
    package init(_ limits: NodeLimits, workers: Int) {
        self.init(
            clients: limits.connections,
            upstreamConnections: (limits.backendConnections + workers - 1) / workers,
            idlePerBackend: ProxyLimits.standard.idlePerBackend, backlog: Int32(limits.backlog))
    }
}

extension Schema where Value == NodeLimits {
    /// The `limits` object of a node file.
    static let nodeLimits = object(
        .optional(
            "connections", .integer(1...1_000_000), default: Value.standard.connections,
            "Client connections at once; further ones are reset."),
        .optional(
            "backendConnections", .integer(1...1_000_000), default: Value.standard.backendConnections,
            "Connections to backends at once, idle ones included."),
        .optional(
            "backlog", .integer(1...65_535), default: Value.standard.backlog,
            "Connections that may wait for each worker to accept them; the kernel bounds it by net.core.somaxconn."),
        make: NodeLimits.init)
}
