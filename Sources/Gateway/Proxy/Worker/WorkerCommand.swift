import Posix

/// What other threads ask of a worker.
enum WorkerCommand: Sendable {
    /// Route new requests by this table.
    case publish(RoutingTable)
    /// Accept on a listening socket, which becomes the worker's.
    case addListener(ListenerID, descriptor: Int32, ListenerTerms)
    /// Serve clients that connect from now on in another way.
    case setTerms(ListenerID, ListenerTerms)
    /// Close the listening socket; connections that wait in its queue are reset.
    case removeListener(ListenerID)
    /// Accept what waits and then close the listening socket.
    case finishListener(ListenerID)
    /// Clients of these addresses are to connect anew: their next answers say `Connection: close`, now and until the
    /// next such command. With `endsIdle` idle connections and tunnels end at once.
    case retire(Set<IPAddress>, endsIdle: Bool)
    /// There is room for a request of this worker that waits for it.
    case serve(WaitingLine.Waiter, UpstreamRuntime)
    /// Count the requests that are under way for clients that are to go on elsewhere.
    case announce(DepartingConnections)
    /// Let go of these clients' connections, as soon as no request is under way on them.
    case depart(DepartingConnections)
    /// The departure is over, or was given up.
    case stayed
    /// Go on with open connections.
    case takeIn([ArrivingConnection])
    /// Leave listeners and clients to another process of this machine; what it can not take may go on until the deadline.
    case handOver(DepartingConnections, until: Instant)
    /// Drop all connections to these addresses without a word: another node has gone on with them.
    case forsake(Set<IPAddress>)
    /// Stop accepting, close idle connections, let requests finish, and end the thread when none is left or at the
    /// deadline.
    case drain(until: Instant)
}
