import Posix

/// What other threads ask of a worker.
enum WorkerCommand: Sendable {
    /// Route new requests by this table.
    case publish(RoutingTable)
    /// Accept on a listening socket, which becomes the worker's.
    case addListener(ListenerID, descriptor: Int32)
    /// Close the listening socket; connections that wait in its queue are reset.
    case removeListener(ListenerID)
    /// Accept what waits and then close the listening socket.
    case finishListener(ListenerID)
    /// Stop accepting, close idle connections, let requests finish, and end the thread when none is left or at the
    /// deadline.
    case drain(until: Instant)
}
