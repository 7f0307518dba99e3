import Posix
import Synchronization

/// Open connections of clients that are to go on at another node, gathered from all workers while their addresses are
/// on their way there. Shared by the workers and whoever moves the addresses.
package final class DepartingConnections: Sendable {
    /// Whose clients are meant.
    package let addresses: Set<IPAddress>
    /// All clients are meant, and another process of this machine goes on with them: what can not go along stays.
    package let areHandedOver: Bool
    private let sockets = Mutex<[DetachedSocket]>([])
    private let awaited = Atomic(0)
    private let unasked: Atomic<Int>

    /// - Parameter workers: How many are asked what is under way.
    init(addresses: Set<IPAddress>, workers: Int) {
        self.addresses = addresses
        areHandedOver = false
        unasked = Atomic(workers)
    }

    /// Of all clients, to another process of this machine.
    package init() {
        addresses = []
        areHandedOver = true
        unasked = Atomic(0)
    }

    deinit {
        for socket in sockets.withLock({ $0 }) { _ = FileDescriptor(owning: socket.descriptor) }
    }

    /// Whether all requests have been answered that were under way when the departure was announced.
    package var areAnswered: Bool {
        unasked.load(ordering: .acquiring) == 0 && awaited.load(ordering: .acquiring) == 0
    }

    /// The connections that have been let go of and not taken.
    package var count: Int { sockets.withLock { $0.count } }

    /// The kernel's descriptors of these, for questions only.
    package var descriptors: [Int32] { sockets.withLock { $0.map(\.descriptor) } }

    /// Hands over all sockets so far; the caller closes them.
    package func take() -> [DetachedSocket] {
        sockets.withLock { sockets in
            defer { sockets = [] }
            return sockets
        }
    }

    func add(_ socket: DetachedSocket) { sockets.withLock { $0.append(socket) } }

    /// A worker has counted the requests that it has under way.
    func await(_ requests: Int) {
        awaited.add(requests, ordering: .acquiringAndReleasing)
        unasked.subtract(1, ordering: .acquiringAndReleasing)
    }

    func answered() { awaited.subtract(1, ordering: .acquiringAndReleasing) }
}

/// A connection that goes on in this process.
package struct ArrivingConnection: Sendable {
    package var socket: DetachedSocket
    package var local: SocketAddress
    package var peer: SocketAddress
    package var flow: ConnectionRecord.Flow { .init(local: local, peer: peer) }

    package init(_ socket: DetachedSocket, local: SocketAddress, peer: SocketAddress) {
        self.socket = socket
        self.local = local
        self.peer = peer
    }
}
