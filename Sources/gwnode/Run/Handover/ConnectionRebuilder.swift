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
        case inherited(Set<ConnectionRecord.Flow>)
        case leaderless
        case held(Set<IPAddress>, Send)
        case stop
    }

    private static let mailboxCapacity = 4096
    /// Longer than a rebuild.
    private static let muteTime = Nanoseconds.milliseconds(1500)
    /// Until connections end of which the guard of a killed gateway should have said whether they go on.
    private static let bequestPatience = Nanoseconds.seconds(6)

    private let workers: WorkerPool
    private let tally: RebuildTally
    /// Nil: clients may be reset before their connections are rebuilt.
    private let mute: ResetMute?
    private let mailbox: Mailbox<Message>
    private let thread = Mutex<Posix.Thread?>(nil)
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
        // No worker has so many connections.
        let records = images.enumerated().map { ConnectionRecord($1, place: .max - UInt32($0)) }
        mailbox.post(.carried(records, heir))
    }

    /// The connections to `addresses` go on here after all.
    func stayed(at addresses: Set<IPAddress>) { mailbox.post(.stayed(addresses)) }

    /// On any thread: the gateway of `node` was killed, and its guard has those of its connections that can go on.
    func bequeathed(by node: NodeID) { mailbox.post(.bequeathed(node)) }

    /// On the heir's thread: these connections of a killed gateway go on here, and no more will come.
    func inherited(_ flows: Set<ConnectionRecord.Flow>) { mailbox.post(.inherited(flows)) }

    /// The addresses that this node holds, and whether it looks for a new leader or is one that has just been elected.
    func turn(held: [IPAddress], isLeaderless: Bool, send: @escaping Send) {
        noticed.withLock { noticed in
            if isLeaderless, !noticed.isLeaderless { mailbox.post(.leaderless) }
            if held != noticed.held { mailbox.post(.held(Set(held), send)) }
            noticed = (isLeaderless, held)
        }
    }

    func stop() {
        while !mailbox.post(.stop) { sched_yield() }
        thread.withLock { $0.take() }?.join()
    }

    /// The body of the thread.
    private func run() {
        var connections = SharedConnections()
        var held: Set<IPAddress> = []
        // They left this node, whose connections to them may still be open.
        var lost: Set<IPAddress> = []
        var send: Send = { _, _ in }
        // Left by a killed gateway to whose addresses this node succeeded.
        var left: (records: [ConnectionRecord], until: Instant)?
        var endings = EndingRun()
        while true {
            wait(until: [left?.until, endings.nextDeadline].compactMap(\.self).min())
            for message in mailbox.drain() {
                switch message {
                case .shared(let bytes, let node):
                    let records = records(bytes, of: node)
                    tally.refused(connections.take(records, from: node, at: .now()))
                    if !lost.isEmpty { forsake(&lost, for: node, with: records, send) }
                case .forsaken(let bytes, let node):
                    endAbsent(records(bytes, of: node).filter { held.contains($0.local.ip) }, &endings)
                case .carried(let records, let heir):
                    tally.refused(connections.take(records, from: heir, at: .now()))
                case .stayed(let addresses): connections.forget(to: addresses)
                case .moved(let offer, let node):
                    connections.forget(to: Set(offer.addresses))
                    tally.refused(connections.take(offer.left, from: node, at: .now()))
                case .bequeathed(let node): connections.bequeath(from: node)
                case .inherited(let flows):
                    if let records = left?.records { end(records.filter { !flows.contains($0.flow) }, &endings) }
                    left = nil
                case .leaderless: muteResets(connections.addresses)
                case .held(let addresses, let itsSend):
                    send = itsSend
                    let gained = addresses.subtracting(held)
                    lost = lost.union(held).subtracting(addresses)
                    held = addresses
                    endings.keep(to: held)
                    let taken = connections.take(to: gained, at: .now())
                    if !taken.records.isEmpty { rebuild(taken.records, &endings) }
                    if !taken.bequeathed.isEmpty {
                        left = ((left?.records ?? []) + taken.bequeathed, .now() + Self.bequestPatience)
                    }
                case .stop:
                    unmute()
                    return
                }
            }
            if let (records, until) = left, .now() >= until {
                end(records, &endings)
                left = nil
            }
            endings.turn()
            tally.known(connections.resting)
        }
    }

    private func wait(until deadline: Instant?) {
        var waiting = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, deadline.map { Int32(($0 - .now()).milliseconds.rounded(.up)) } ?? -1)
    }

    /// The guard of the gateway that had them resets those that it knows, once, and resets get lost.
    private func end(_ records: [ConnectionRecord], _ endings: inout EndingRun) {
        if records.isEmpty { return }
        unmute()
        endings.add(records)
        Log.info("vip: \(records.count) connections that a killed gateway left busy have ended")
    }

    /// Drops connections to lost addresses, which `node` has if it shares such. It is told of all that are dropped: of young
    /// ones, and of those that were busy in a move, it knows nothing.
    private func forsake(
        _ lost: inout Set<IPAddress>, for node: NodeID, with shared: [ConnectionRecord], _ send: Send
    ) {
        let gone = lost.intersection(shared.map(\.local.ip))
        if gone.isEmpty { return }
        for records in ConnectionRecords.notes(of: flows(to: gone)) { send(.forsaken(records.encoded()), node) }
        workers.forsake(gone)
        lost.subtract(gone)
    }

    /// Ends those that do not go on here.
    private func endAbsent(_ records: [ConnectionRecord], _ endings: inout EndingRun) {
        let present = Set(flows(to: Set(records.map(\.local.ip))))
        let absent = records.filter { !present.contains($0.flow) }
        if absent.isEmpty { return }
        unmute()
        endings.add(absent)
        Log.info("vip: \(absent.count) connections that another node had to drop have ended")
    }

    private func flows(to addresses: Set<IPAddress>) -> [ConnectionRecord.Flow] {
        if addresses.isEmpty { return [] }
        do throws(SystemError) { return try ConnectionCensus().flows(to: addresses) } catch {
            Log.warning("vip: the kernel does not tell which connections there are: \(error)")
            return []
        }
    }

    private func records(_ bytes: [UInt8], of node: NodeID) -> [ConnectionRecord] {
        do throws(DecodingFault) { return try ConnectionRecords(decoding: bytes).records } catch {
            Log.debug("vip: what node \(node) shares of its connections can not be read: \(error)")
            return []
        }
    }

    private func rebuild(_ records: [ConnectionRecord], _ endings: inout EndingRun) {
        let began = Instant.now()
        muteResets(Set(records.map(\.local.ip)))
        var run = RebuildRun(records, workers: workers)
        run.finish(&endings) { unmute() }
        tally.add(run.outcome)
        Log.info(
            "vip: of \(records.count) connections of the former holder's clients \(run.outcome.restored) go on, "
                + "\(run.outcome.ended) ended and \(run.outcome.gone) were gone, after \(Instant.now() - began)")
    }

    private func unmute() {
        do throws(SystemError) { try mute?.end() } catch { Log.warning("vip: \(error)") }
    }

    private func muteResets(_ addresses: Set<IPAddress>) {
        if addresses.isEmpty { return }
        do throws(SystemError) { try mute?.begin(Array(addresses), for: Self.muteTime) } catch {
            Log.warning("vip: \(error)")
        }
    }
}
