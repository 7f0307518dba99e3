import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Keeps what other nodes share of their clients' connections, and goes on with these when a node died and this one has
/// its addresses (`Rebuild`). It has a thread of its own.
final class ConnectionRebuilder: Sendable {
    typealias Send = @Sendable (HandoverNote, NodeID) -> Void

    private enum Message: Sendable {
        case shared([UInt8], NodeID)
        case moved(HandoverOffer, NodeID)
        case forsaken([UInt8], NodeID)
        case carried([ConnectionRecord], NodeID)
        case stayed(Set<IPAddress>)
        case bequeathed(NodeID)
        case inherited(Set<ConnectionRecord.Flow>, ended: [ConnectionRecord.Flow])
        case leaderless
        case held(Set<IPAddress>, Send)
        case stop
    }

    private static let mailboxCapacity = 4096

    private let workers: WorkerPool
    private let tally: RebuildTally
    /// Nil: clients may be reset before their connections are rebuilt.
    private let mute: ResetMute?
    private let mailbox: Mailbox<Message>
    private let thread = Mutex<Posix.Thread?>(nil)
    /// As they were at the end of the thread's last turn.
    private let endings = Mutex(ConnectionEndings())
    /// Used by the consensus thread alone.
    private let noticed = Mutex((isLeaderless: false, held: [IPAddress]()))

    init(mute: ResetMute?, workers: WorkerPool, tally: RebuildTally) throws(SystemError) {
        self.mute = mute
        self.workers = workers
        self.tally = tally
        mailbox = try Mailbox(capacity: Self.mailboxCapacity)
        let started = try Posix.Thread(name: "rebuild", stackBytes: 512 << 10) { [self] in run() }
        thread.withLock { $0 = started }
    }

    // On the consensus thread.

    /// Records of `node` in their binary form.
    func shared(_ records: [UInt8], by node: NodeID) { mailbox.post(.shared(records, node)) }

    /// Connections of `node` are on their way here by themselves, and those that are left end.
    func moved(_ offer: HandoverOffer, by node: NodeID) { mailbox.post(.moved(offer, node)) }

    /// Those of which `node` says that it drops them.
    func forsaken(_ records: [UInt8], by node: NodeID) { mailbox.post(.forsaken(records, node)) }

    /// `heir` has these, and will share them when it has their addresses.
    func carried(_ images: [TCPConnectionImage], to heir: NodeID) {
        mailbox.post(.carried(ConnectionRecord.all(of: images), heir))
    }

    /// The connections to `addresses` go on here after all.
    func stayed(at addresses: Set<IPAddress>) { mailbox.post(.stayed(addresses)) }

    /// On any thread: the gateway of `node` was killed, and its guard has those of its connections that can go on.
    func bequeathed(by node: NodeID) { mailbox.post(.bequeathed(node)) }

    /// On the heir's thread: these connections of a killed gateway go on here, and no more will come. The others end.
    func inherited(_ flows: Set<ConnectionRecord.Flow>, ended: [ConnectionRecord.Flow]) {
        mailbox.post(.inherited(flows, ended: ended))
    }

    /// The addresses that this node holds, and whether it looks for a new leader or is one that has just been elected.
    func turn(held: [IPAddress], isLeaderless: Bool, send: @escaping Send) {
        noticed.withLock { noticed in
            if isLeaderless, !noticed.isLeaderless { mailbox.post(.leaderless) }
            if held != noticed.held { mailbox.post(.held(Set(held), send)) }
            noticed = (isLeaderless, held)
        }
    }

    /// On any thread: the connections to `addresses` of whose end this node is telling the clients. Once these have left, only
    /// who has them can tell.
    func endings(to addresses: Set<IPAddress>) -> [ConnectionRecord.Flow] {
        endings.withLock { $0 }.pending(to: addresses)
    }

    func stop() {
        while !mailbox.post(.stop) { sched_yield() }
        thread.withLock { $0.take() }?.join()
    }

    /// The body of the thread.
    private func run() {
        var own = RebuildThread(mute: mute, workers: workers, tally: tally)
        while true {
            wait(until: own.nextDeadline)
            for message in mailbox.drain() {
                switch message {
                case .shared(let records, let node): own.shared(records, by: node)
                case .moved(let offer, let node): own.moved(offer, by: node)
                case .forsaken(let records, let node): own.forsaken(records, by: node)
                case .carried(let records, let heir): own.take(records, from: heir)
                case .stayed(let addresses): own.stayed(at: addresses)
                case .bequeathed(let node): own.bequeathed(by: node)
                case .inherited(let flows, let ended): own.inherited(flows, ended: ended)
                case .leaderless: own.leaderless()
                case .held(let addresses, let send): own.hold(addresses, send: send)
                case .stop: return own.stop()
                }
            }
            own.turn()
            endings.withLock { $0 = own.endings.core }
        }
    }

    private func wait(until deadline: Instant?) {
        var waiting = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, deadline.map { Int32(($0 - .now()).milliseconds.rounded(.up)) } ?? -1)
    }
}
