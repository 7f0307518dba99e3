import CLinux
import Glibc
import Posix
import TLS

/// The connections between this node and its peers, on the consensus thread and in its poller.
///
/// Each node dials every peer twice, once for the small messages that keep a leader in office and once for entries
/// and snapshots, and accepts the same from every peer. Messages flow from the end that dialled. What can not be
/// sent is dropped: Raft repeats what still matters.
package final class Transport {
    package struct Local: Sendable {
        package var cluster: ClusterTitle
        package var id: NodeID
        package var incarnation: UInt64

        package init(cluster: ClusterTitle, id: NodeID, incarnation: UInt64) {
            self.cluster = cluster
            self.id = id
            self.incarnation = incarnation
        }
    }

    package enum Event: Sendable {
        case message(Message, from: NodeID)
        case info([UInt8], from: NodeID)
        case note([UInt8], from: NodeID)
        /// Its connection was closed and a new one refused: nobody listens there any more.
        case processGone(NodeID)
        /// That node says that this one was removed from the cluster.
        case removed(by: NodeID)
        /// A peer was met for the first time: make the registry durable.
        case met(PeerRegistry)
    }

    /// The dialled lanes of one peer and what is known of it.
    struct Link {
        var address: String
        /// Of a numeric address from the beginning, of a name once resolved.
        var resolved: SocketAddress?
        var isNumeric: Bool
        var control = Dialer()
        var bulk = Dialer()
        var lastReceived: Instant?
        var framesDropped: UInt64 = 0
        /// The newest info was not sent yet.
        var owesInfo = false

        init(address: String) {
            self.address = address
            resolved = SocketAddress(address)
            isNumeric = resolved != nil
        }

        subscript(lane: Message.Lane) -> Dialer {
            get { lane == .control ? control : bulk }
            set { if lane == .control { control = newValue } else { bulk = newValue } }
        }
    }

    static let controlQueueBytes = 1 << 20
    static let bulkQueueBytes = 16 << 20
    /// Accepted connections, greeted or not; a cluster of the largest size needs two a peer and some to change over.
    static let acceptedLimit = 4 * CodingLimit.members
    static let greetingTime = Nanoseconds.seconds(1)
    static let acceptPause = Nanoseconds.milliseconds(100)
    static let userTimeout = Nanoseconds.seconds(2)

    var local: Local
    let certificate: NodeCertificate?
    let poller: SharedPoller
    private let listener: FileDescriptor
    private let listenerToken: UInt64
    var registry: PeerRegistry
    var links: [NodeID: Link] = [:]
    /// Connections to peers that were opened until now, of both lanes.
    var openedCount: UInt64 = 0
    /// Former members, which are told so when they come back.
    var removed: Set<NodeID> = []
    var connections: [UInt64: Connection] = [:]
    var events: [Event] = []
    var limiter = LogLimiter()
    let resolve: (String) -> Bool
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private var nextToken: UInt64
    private var info: [UInt8] = []
    /// Set while the process or the system is out of descriptors.
    private var acceptsAgainAt: Instant?

    /// `firstToken` and all above are this transport's in the poller. `resolve` starts the resolution of an address;
    /// the answer comes back through `resolved`. With a certificate, all connections are secured by TLS, and only
    /// nodes are let in whose certificate names them.
    package init(
        local: Local, certificate: NodeCertificate? = nil, listener: consuming FileDescriptor, registry: PeerRegistry,
        poller: SharedPoller, firstToken: UInt64, resolve: @escaping (String) -> Bool
    ) throws(SystemError) {
        self.local = local
        self.certificate = certificate
        self.listener = listener
        self.registry = registry
        self.poller = poller
        self.resolve = resolve
        listenerToken = firstToken
        nextToken = firstToken + 1
        try poller.add(self.listener.raw, .read, token: listenerToken)
    }

    deinit { scratch.deallocate() }

    /// Replaces the address book. Connections to peers whose address stays the same are kept.
    package func connect(to peers: [PeerAddress], removed: Set<NodeID> = []) {
        self.removed = removed
        let wanted = Dictionary(peers.filter { $0.id != local.id }.map { ($0.id, $0.address) }) { first, _ in first }
        for (id, link) in links where wanted[id] != link.address {
            for token in connections.values.filter({ $0.isWith(id) }).map(\.token) { forget(token) }
            links[id] = nil
        }
        for (id, address) in wanted where links[id] == nil { links[id] = Link(address: address) }
    }

    /// Queues a message, which `flush` sends. False when it is certain not to be sent.
    @discardableResult
    package func send(_ message: Message, to peer: NodeID) -> Bool {
        send(.message(message), to: peer, on: message.lane)
    }

    /// Queues `note` for the host of `peer`, behind what waits there already. False when it is certain not to be sent.
    @discardableResult
    package func send(note: [UInt8], to peer: NodeID) -> Bool { send(.note(note), to: peer, on: .bulk) }

    private func send(_ body: FrameBody, to peer: NodeID, on lane: Message.Lane) -> Bool {
        guard let link = links[peer] else { return false }
        if let token = link[lane].openToken, let connection = connections[token], connection.queue(body) { return true }
        links[peer]!.framesDropped += 1
        return false
    }

    /// Every peer gets this next, and only this when several come before it could be sent.
    package func publish(info: [UInt8]) {
        precondition(info.count <= FrameBody.infoLimit, "the info fits in its frame")
        self.info = info
        for id in links.keys { links[id]?.owesInfo = true }
    }

    /// Sends what is queued as far as the sockets take it, control lanes first.
    package func flush(at now: Instant) {
        for (id, link) in links where link.owesInfo {
            guard let token = link.bulk.openToken, let connection = connections[token], connection.output.isEmpty else {
                continue
            }
            connection.queue(.info(info))
            links[id]?.owesInfo = false
        }
        for lane in [Message.Lane.control, .bulk] {
            for connection in connections.values where connection.lane == lane && !connection.output.isEmpty {
                flush(connection, at: now)
            }
        }
    }

    func flush(_ connection: Connection, at now: Instant) {
        do throws(SystemError) {
            try connection.flush()
            let awaitsRoom = !connection.output.isEmpty
            guard awaitsRoom != connection.awaitsRoom else { return }
            connection.awaitsRoom = awaitsRoom
            try poller.modify(connection.descriptor, awaitsRoom ? [.read, .write] : .read, token: connection.token)
        } catch {
            lose(connection, error.description, at: now)
        }
    }

    /// Handles one event of the poller.
    package func handle(token: UInt64, readiness: Readiness, at now: Instant) {
        if token == listenerToken { return accept(at: now) }
        guard let connection = connections[token] else { return }
        if connection.phase == .connecting, case .dialed(let peer, let lane) = connection.purpose {
            return finishConnecting(connection, peer, lane, at: now)
        }
        if !readiness.isDisjoint(with: [.read, .peerClosed, .hangUp, .error]) { receive(on: connection, at: now) }
        if readiness.contains(.write), connections[token] != nil { flush(connection, at: now) }
    }

    /// Whether this event is of a lane that waits until all control lanes have been read.
    package func isBulk(token: UInt64) -> Bool { connections[token]?.lane == .bulk }

    package var nextDeadline: Instant {
        let dial = links.values.map { min($0.control.nextAttempt, $0.bulk.nextAttempt) }.min() ?? .distantFuture
        let greeting = connections.values.compactMap(\.deadline).min() ?? .distantFuture
        return min(dial, greeting, acceptsAgainAt ?? .distantFuture)
    }

    package func tick(at now: Instant) {
        certificate?.remind(at: now)
        if let instant = acceptsAgainAt, instant <= now {
            acceptsAgainAt = nil
            try? poller.modify(listener.raw, .read, token: listenerToken)
        }
        for connection in connections.values.filter({ $0.deadline.map { $0 <= now } ?? false }) {
            lose(connection, "no greeting within \(Self.greetingTime)", at: now)
        }
        for id in links.keys.sorted() {
            for lane in [Message.Lane.control, .bulk] where links[id]![lane].nextAttempt <= now {
                dial(id, lane, at: now)
            }
        }
    }

    package func takeEvents() -> [Event] {
        defer { events = [] }
        return events
    }

    package struct PeerState: Hashable, Sendable {
        package var id: NodeID
        package var address: String
        package var resolved: SocketAddress?
        package var isConnected: Bool
        package var lastReceived: Instant?
        package var framesDropped: UInt64
    }

    package var peers: [PeerState] {
        links.keys.sorted().map { id in
            let link = links[id]!
            return PeerState(
                id: id, address: link.address, resolved: link.resolved,
                isConnected: link.control.openToken != nil, lastReceived: link.lastReceived,
                framesDropped: link.framesDropped)
        }
    }

    func takeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }

    /// Takes a connection out without any consequence.
    func forget(_ token: UInt64) {
        guard let connection = connections.removeValue(forKey: token) else { return }
        poller.remove(connection.descriptor)
    }

    private func accept(at now: Instant) {
        while true {
            var address = SocketAddress(ip: IPAddress(v4: 0), port: 0)
            do throws(SystemError) {
                guard let socket = try Socket.accept(from: listener.raw, peer: &address) else { return }
                adopt(socket, from: address, at: now)
            } catch {
                limiter.warn("accept", at: now, "raft: \(error); peers may be kept out until it ends")
                acceptsAgainAt = now + Self.acceptPause
                try? poller.modify(listener.raw, [], token: listenerToken)
                return
            }
        }
    }
}
