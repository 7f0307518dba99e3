import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Makes the connections that another node hands over, and goes on with them once this node holds their addresses. It
/// has a thread of its own.
final class ConnectionHeir: Sendable {
    private enum Message: Sendable {
        case offer(HandoverOffer, from: NodeID)
        case withdrawn(move: UInt64, by: NodeID)
        case serve([IPAddress], ports: [UInt16])
        case bequeathed(ReleaseNotice, NoticeKey, NoticeListener.Correspondent)
        case bequest(BequestNote)
        case stop
    }

    /// Told which connections of a killed gateway go on here when no more will come, and of others that end.
    typealias Inherited = @Sendable (_ goingOn: Set<ConnectionRecord.Flow>, _ ended: [ConnectionRecord.Flow]) -> Void

    private static let mailboxCapacity = 4096
    /// Connections of a killed node that are made at once, so that the first ones need not wait for the last.
    private static let pieceCount = 256

    private let interface: String
    private let raft: RaftNode<ClusterHost>
    private let workers: WorkerPool
    private let view: SharedClusterView
    private let tally: MoveTally
    private let inherited: Inherited
    private let mailbox: Mailbox<Message>
    private let thread = Mutex<Posix.Thread?>(nil)

    /// `interface` is the one that gets the addresses.
    init(
        on interface: String, raft: RaftNode<ClusterHost>, workers: WorkerPool, view: SharedClusterView,
        tally: MoveTally, inherited: @escaping Inherited
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
    func offered(_ offer: HandoverOffer, by node: NodeID) { mailbox.post(.offer(offer, from: node)) }

    /// On the consensus thread: `node` goes on with what it offered.
    func withdrawn(move: UInt64, by node: NodeID) { mailbox.post(.withdrawn(move: move, by: node)) }

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
        var inheritances = Inheritances()
        var bequests = PendingBequests(on: interface)
        var (addresses, ports): ([IPAddress], [UInt16]) = ([], [])
        func isServed(_ image: TCPConnectionImage) -> Bool {
            addresses.contains(image.local.ip) && ports.contains(image.local.port)
        }
        while true {
            var waiting = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, inheritances.isEmpty && bequests.isEmpty ? -1 : 1)
            for message in mailbox.drain() {
                switch message {
                case .serve(let newAddresses, let newPorts): (addresses, ports) = (newAddresses, newPorts)
                case .offer(let offer, let node):
                    let given = Set(offer.addresses)
                    guard isNext(after: node, for: given) else {
                        inheritances.drop(offer.move, by: node)
                        continue
                    }
                    inheritances.add(offer.images.filter(isServed), to: given, of: offer.move, by: node, at: .now())
                    if offer.isLast { answer(node, offer.move, inheritances.count(of: offer.move, by: node)) }
                case .withdrawn(let move, let node): inheritances.drop(move, by: node)
                case .bequeathed(let notice, let key, let sender):
                    bequests.add(notice, key: key, from: sender, at: .now())
                case .bequest(let note): bequests.take(note, at: .now())
                case .stop: return
                }
            }
            takeOver(&inheritances)
            bequests.turn(view.current, at: .now()) { arrival in
                switch arrival {
                case .legacy(let legacy):
                    tally.lost(legacy.ended.count)
                    let flows = takeOver(legacy.images.filter(isServed))
                    inherited(flows, legacy.endings(goingOn: flows))
                case .connections(let left):
                    goOn(with: left.connections)
                    inherited(Set(left.connections.lazy.map(\.flow)), left.ended)
                case .nothing: inherited([], [])
                }
            }
        }
    }

    /// Goes on with connections of a node that was killed, whose addresses are here.
    /// - Returns: those that could be made.
    private func takeOver(_ images: [TCPConnectionImage]) -> Set<ConnectionRecord.Flow> {
        var flows: Set<ConnectionRecord.Flow> = []
        for piece in images.pieces(of: Self.pieceCount) {
            let sockets = RepairedSocket.restored(piece)
            tally.lost(piece.count - sockets.count)
            goOn(with: sockets)
            flows.formUnion(sockets.map(\.image.flow))
        }
        if !images.isEmpty { Log.info("vip: the open connections of a killed node, \(flows.count), go on here") }
        return flows
    }

    /// Whether `node` may hand `addresses` over, and has not given them to this node yet.
    private func isNext(after node: NodeID, for addresses: Set<IPAddress>) -> Bool {
        guard let view = view.current else { return false }
        return addresses.isDisjoint(with: view.heldAddresses)
            && view.state.loans.pass(addresses, from: node, to: view.raft)
    }

    private func answer(_ node: NodeID, _ move: UInt64, _ count: Int) {
        raft.send(note: HandoverNote.taken(move: move, count: count).encoded(), to: node)
    }

    /// Goes on with what can go on by now.
    private func takeOver(_ inheritances: inout Inheritances) {
        let arrived = inheritances.take(to: Set(view.current?.heldAddresses ?? []))
        if !arrived.isEmpty, case let count = goOn(with: arrived), count > 0 {
            Log.info("vip: goes on with \(count) open connections of clients")
        }
        drop(inheritances.expire(at: .now(), isElsewhere))
    }

    private func isElsewhere(_ address: IPAddress, but offering: NodeID, since: Instant) -> Bool {
        view.current?.sightings.contains { node, sighting in
            node != offering && sighting.at >= since && sighting.report.heldAddresses.contains(address)
        } ?? false
    }

    /// Another node than was meant has their addresses, and has their clients learn that they ended: it does not know of all.
    private func drop(_ late: [ConnectionRecord.Flow]) {
        if late.isEmpty { return }
        Log.warning("vip: \(late.count) open connections came without their addresses and are dropped")
        tally.lost(late.count)
        for records in ConnectionRecords.notes(of: late) {
            let note = HandoverNote.forsaken(records.encoded()).encoded()
            for node in view.current?.connected ?? [] { raft.send(note: note, to: node) }
        }
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
