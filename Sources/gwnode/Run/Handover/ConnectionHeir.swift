import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Makes the connections that another node hands over, and goes on with them once this node holds their addresses. It
/// has a thread of its own.
final class ConnectionHeir: Sendable {
    private enum Message: Sendable {
        case offer(move: UInt64, [TCPConnectionImage], isLast: Bool, from: NodeID)
        case serve([IPAddress], ports: [UInt16])
        case stop
    }

    /// Connections that are ready and whose addresses do not come.
    private static let patience = Nanoseconds.seconds(3)
    private static let mailboxCapacity = 4096
    private static let connectionLimit = 200_000

    private let raft: RaftNode<ClusterHost>
    private let workers: WorkerPool
    private let view: SharedClusterView
    private let tally: MoveTally
    private let mailbox: Mailbox<Message>
    private let thread = Mutex<Posix.Thread?>(nil)

    init(
        raft: RaftNode<ClusterHost>, workers: WorkerPool, view: SharedClusterView, tally: MoveTally
    ) throws(SystemError) {
        self.raft = raft
        self.workers = workers
        self.view = view
        self.tally = tally
        mailbox = try Mailbox(capacity: Self.mailboxCapacity)
        let started = try Posix.Thread(name: "heir", stackBytes: 256 << 10) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// On the consensus thread: connections that `node` hands over.
    func offered(_ images: [TCPConnectionImage], move: UInt64, isLast: Bool, by node: NodeID) {
        mailbox.post(.offer(move: move, images, isLast: isLast, from: node))
    }

    /// For which connections there is a place here.
    func serve(addresses: [IPAddress], ports: [UInt16]) { mailbox.post(.serve(addresses, ports: ports)) }

    func stop() {
        while !mailbox.post(.stop) { sched_yield() }
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var inheritance: Inheritance?
        var (addresses, ports): ([IPAddress], [UInt16]) = ([], [])
        while true {
            var waiting = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, inheritance == nil ? -1 : 1)
            for message in mailbox.drain() {
                switch message {
                case .serve(let newAddresses, let newPorts): (addresses, ports) = (newAddresses, newPorts)
                case .offer(let move, let images, let isLast, let node):
                    guard view.current?.raft.leader == node else { continue }
                    if inheritance?.move != move {
                        inheritance = Inheritance(move: move, until: .now() + Self.patience)
                    }
                    let expected = images.filter { addresses.contains($0.local.ip) && ports.contains($0.local.port) }
                    inheritance?.add(expected, limit: Self.connectionLimit)
                    if isLast { answer(node, inheritance) }
                case .stop: return
                }
            }
            if let heritage = inheritance, takeOver(heritage) { inheritance = nil }
        }
    }

    private func answer(_ node: NodeID, _ inheritance: Inheritance?) {
        guard let inheritance else { return }
        let note = HandoverNote.taken(move: inheritance.move, count: inheritance.sockets.count)
        raft.send(note: note.encoded(), to: node)
    }

    /// True when there is nothing more to wait for.
    private func takeOver(_ inheritance: Inheritance) -> Bool {
        let held = Set(view.current?.heldAddresses ?? [])
        guard inheritance.sockets.allSatisfy({ held.contains($0.image.local.ip) }) else {
            if Instant.now() < inheritance.deadline { return false }
            Log.warning(
                "vip: \(inheritance.sockets.count) open connections came without their addresses and are dropped")
            tally.lost(inheritance.sockets.count)
            return true
        }
        let connections = inheritance.sockets.compactMap { socket -> ArrivingConnection? in
            guard let descriptor = try? socket.resume() else { return nil }
            return ArrivingConnection(
                DetachedSocket(descriptor: descriptor.take(), unread: []), local: socket.image.local,
                peer: socket.image.peer)
        }
        workers.takeIn(connections)
        tally.movedHere(connections.count)
        tally.lost(inheritance.sockets.count - connections.count)
        if !connections.isEmpty { Log.info("vip: goes on with \(connections.count) open connections of clients") }
        return true
    }
}

/// Connections of one move, ready to go on.
private struct Inheritance {
    let move: UInt64
    let deadline: Instant
    private(set) var sockets: [RepairedSocket] = []

    init(move: UInt64, until deadline: Instant) {
        self.move = move
        self.deadline = deadline
    }

    mutating func add(_ images: [TCPConnectionImage], limit: Int) {
        for image in images.prefix(limit - sockets.count) {
            do throws(SystemError) { sockets.append(try RepairedSocket(restoring: image)) } catch {
                Log.debug("vip: the connection from \(image.peer) can not go on here: \(error)")
            }
        }
    }
}
