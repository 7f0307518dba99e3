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
        case bequeathed(ReleaseNotice, NoticeKey, NoticeListener.Correspondent)
        case bequest(BequestNote)
        case stop
    }

    /// Connections that are ready and whose addresses do not come.
    private static let patience = Nanoseconds.seconds(3)
    private static let mailboxCapacity = 4096
    private static let connectionLimit = 200_000
    /// Connections of a killed node that are made at once, so that the first ones need not wait for the last.
    private static let pieceCount = 256

    private let interface: String
    private let raft: RaftNode<ClusterHost>
    private let workers: WorkerPool
    private let view: SharedClusterView
    private let tally: MoveTally
    private let inherited: @Sendable (Set<ConnectionRecord.Flow>) -> Void
    private let mailbox: Mailbox<Message>
    private let thread = Mutex<Posix.Thread?>(nil)

    /// `interface` is the one that gets the addresses. `inherited` is told which connections of a killed gateway go on here
    /// when no more will come.
    init(
        on interface: String, raft: RaftNode<ClusterHost>, workers: WorkerPool, view: SharedClusterView,
        tally: MoveTally, inherited: @escaping @Sendable (Set<ConnectionRecord.Flow>) -> Void
    ) throws(SystemError) {
        self.interface = interface
        self.raft = raft
        self.workers = workers
        self.view = view
        self.tally = tally
        self.inherited = inherited
        mailbox = try Mailbox(capacity: Self.mailboxCapacity)
        let started = try Posix.Thread(name: "heir", stackBytes: 256 << 10) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// On the consensus thread: connections that `node` hands over.
    func offered(_ images: [TCPConnectionImage], move: UInt64, isLast: Bool, by node: NodeID) {
        mailbox.post(.offer(move: move, images, isLast: isLast, from: node))
    }

    /// On the listener's thread: a node that held the addresses was killed, and its guard has the connections.
    func bequeathed(_ notice: ReleaseNotice, key: NoticeKey, by sender: NoticeListener.Correspondent) {
        mailbox.post(.bequeathed(notice, key, sender))
    }

    /// On the listener's thread.
    func received(_ note: BequestNote) { mailbox.post(.bequest(note)) }

    /// For which connections there is a place here.
    func serve(addresses: [IPAddress], ports: [UInt16]) { mailbox.post(.serve(addresses, ports: ports)) }

    func stop() {
        while !mailbox.post(.stop) { sched_yield() }
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var inheritance: Inheritance?
        var bequests = PendingBequests(on: interface)
        var (addresses, ports): ([IPAddress], [UInt16]) = ([], [])
        func isServed(_ image: TCPConnectionImage) -> Bool {
            addresses.contains(image.local.ip) && ports.contains(image.local.port)
        }
        while true {
            var waiting = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, inheritance == nil && bequests.isEmpty ? -1 : 1)
            for message in mailbox.drain() {
                switch message {
                case .serve(let newAddresses, let newPorts): (addresses, ports) = (newAddresses, newPorts)
                case .offer(let move, let images, let isLast, let node):
                    guard view.current?.raft.leader == node else { continue }
                    if inheritance?.move != move {
                        inheritance = Inheritance(move: move, until: .now() + Self.patience)
                    }
                    inheritance?.add(images.filter(isServed), limit: Self.connectionLimit)
                    if isLast { answer(node, inheritance) }
                case .bequeathed(let notice, let key, let sender):
                    bequests.add(notice, key: key, from: sender, at: .now())
                case .bequest(let note): bequests.take(note, at: .now())
                case .stop: return
                }
            }
            if let heritage = inheritance, takeOver(heritage) { inheritance = nil }
            bequests.turn(view.current, at: .now()) { arrival in
                switch arrival {
                case .images(let left):
                    tally.lost(left.lost)
                    inherited(takeOver(left.images.filter(isServed)))
                case .connections(let connections): goOn(with: connections)
                case .nothing: inherited([])
                }
            }
        }
    }

    /// Goes on with connections of a node that was killed, whose addresses are here.
    /// - Returns: those that could be made.
    private func takeOver(_ images: [TCPConnectionImage]) -> Set<ConnectionRecord.Flow> {
        var flows: Set<ConnectionRecord.Flow> = []
        for start in stride(from: 0, to: images.count, by: Self.pieceCount) {
            let piece = images[start..<min(start + Self.pieceCount, images.count)]
            var inheritance = Inheritance(move: 0, until: .now())
            inheritance.add(Array(piece), limit: Self.pieceCount)
            tally.lost(piece.count - inheritance.sockets.count)
            goOn(with: inheritance.sockets)
            flows.formUnion(inheritance.sockets.map { .init(local: $0.image.local, peer: $0.image.peer) })
        }
        Log.info("vip: the open connections of a killed node, \(flows.count), go on here")
        return flows
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
        let count = goOn(with: inheritance.sockets)
        if count > 0 { Log.info("vip: goes on with \(count) open connections of clients") }
        return true
    }

    /// Goes on with connections of this node's former process.
    private func goOn(with connections: [ArrivingConnection]) {
        workers.takeIn(connections)
        tally.movedHere(connections.count)
        Log.info("vip: goes on with \(connections.count) open connections of the gateway that was killed here")
    }

    /// - Returns: with how many.
    @discardableResult
    private func goOn(with sockets: [RepairedSocket]) -> Int {
        let connections = sockets.compactMap { socket -> ArrivingConnection? in
            guard let descriptor = try? socket.resume() else { return nil }
            return ArrivingConnection(
                DetachedSocket(descriptor: descriptor.take(), unread: []), local: socket.image.local,
                peer: socket.image.peer)
        }
        workers.takeIn(connections)
        tally.movedHere(connections.count)
        tally.lost(sockets.count - connections.count)
        return connections.count
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
