import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Takes the open connections of clients to the node that is to hold their addresses next. Used by the thread that moves
/// the addresses, while nothing arrives for these any more.
final class ConnectionCarrier: Sendable {
    /// Until the other node has made all connections anew, beside what each of them takes.
    private static let answerLimit = Nanoseconds.milliseconds(300)
    private static let timeOfOne = Nanoseconds.microseconds(500)
    private static let pauseMilliseconds: Int32 = 1

    private struct Awaited {
        var move: UInt64
        var heir: NodeID
        /// Nil until the answer has come.
        var taken: Int?
    }

    private let raft: RaftNode<ClusterHost>
    private let tally: MoveTally
    private let rebuilder: ConnectionRebuilder?
    private let awaited = Mutex<Awaited?>(nil)

    init(raft: RaftNode<ClusterHost>, tally: MoveTally, rebuilder: ConnectionRebuilder?) {
        self.raft = raft
        self.tally = tally
        self.rebuilder = rebuilder
    }

    /// Those that ended before, for which clients may wait all the same: what they were told may have been lost.
    func endings(to addresses: Set<IPAddress>) -> [ConnectionRecord.Flow] { rebuilder?.endings(to: addresses) ?? [] }

    /// Takes the connections out of this kernel. What can not be moved, because the client has just ended it or did not
    /// take what it was sent, ends silently.
    func load(_ departing: DepartingConnections) -> Load {
        var load = Load(departing.addresses)
        for socket in departing.take() {
            do throws(SystemError) {
                let captured = try RepairedSocket(capturing: FileDescriptor(owning: socket.descriptor))
                load.add(captured, unread: socket.unread)
            } catch {
                tally.lost(1)
                Log.debug("vip: \(error)")
            }
        }
        return load
    }

    /// Returns when `heir` has them, false when it does not say so in time.
    /// - Parameter left: Connections that do not go along, and of whose end `heir` is to tell.
    func offer(_ load: Load, left: [ConnectionRecord.Flow], to heir: NodeID) -> Bool {
        awaited.withLock { $0 = Awaited(move: load.move, heir: heir) }
        defer { awaited.withLock { $0 = nil } }
        for offer in HandoverOffer.all(move: load.move, of: load.addresses, load.images, left: left) {
            raft.send(note: HandoverNote.offer(offer).encoded(), to: heir)
        }
        let deadline = Instant.now() + Self.answerLimit + Self.timeOfOne * UInt64(load.images.count)
        while Instant.now() < deadline {
            if let taken = awaited.withLock({ $0?.taken }) {
                if taken < load.images.count {
                    Log.warning("vip: node \(heir) could take \(taken) of \(load.images.count) open connections")
                }
                return true
            }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
        Log.warning("vip: node \(heir) did not take the open connections in time")
        return false
    }

    /// Should the machine of `heir` die before that shares them.
    func remember(_ load: Load, at heir: NodeID) {
        raft.perform { [images = load.images] in $0.carried(images, to: heir) }
    }

    /// The connections go on here, whatever became of the offer.
    func withdraw(_ load: Load, from heir: NodeID) {
        raft.perform { [addresses = load.addresses] in $0.keep(connectionsTo: Set(addresses)) }
        raft.send(note: HandoverNote.withdrawn(move: load.move).encoded(), to: heir)
    }

    /// The other node has them; they end here, without a word to the clients.
    func forget(_ load: Load) {
        load.forsake()
        tally.movedAway(load.images.count)
    }

    /// On the consensus thread: the answer to an offer.
    func answered(move: UInt64, by node: NodeID, taken: Int) {
        awaited.withLock { awaited in
            guard awaited?.move == move, awaited?.heir == node else { return }
            awaited?.taken = taken
        }
    }
}

/// Connections that are out of this kernel's hands.
struct Load {
    /// By which both nodes know them.
    let move = UInt64.random(in: 1 ... .max)
    let addresses: [IPAddress]
    private var captured: [(socket: RepairedSocket, unread: [UInt8])] = []
    private(set) var images: [TCPConnectionImage] = []

    init(_ addresses: Set<IPAddress>) { self.addresses = Array(addresses) }

    mutating func add(_ socket: RepairedSocket, unread: [UInt8]) {
        captured.append((socket, unread))
        var image = socket.image
        image.putBack(unread)
        images.append(image)
    }

    /// Not only closed: the guard may have a descriptor of them for another moment.
    func forsake() {
        for (socket, _) in captured { socket.forsake() }
    }

    /// The connections go on here. Those with bytes that were not used yet are reset: the other node has these bytes, too, and
    /// would use them again if this one died before it heard that it must not.
    func unload() -> [ArrivingConnection] {
        captured.compactMap { socket, unread in
            guard let descriptor = try? socket.resume() else { return nil }
            if !unread.isEmpty || !socket.image.unread.isEmpty {
                Socket.resetWhenClosed(descriptor.raw)
                return nil
            }
            return ArrivingConnection(
                DetachedSocket(descriptor: descriptor.take(), unread: unread), local: socket.image.local,
                peer: socket.image.peer)
        }
    }
}
