import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Keeps what other nodes share of their clients' connections, and goes on with these when a node died and this one has
/// its addresses (`Rebuild`). It has a thread of its own.
final class ConnectionRebuilder: Sendable {
    private enum Message: Sendable {
        case shared([UInt8], NodeID)
        case moved(NodeID)
        case bequeathed(NodeID)
        case inherited(Set<ConnectionRecord.Flow>)
        case leaderless
        case held(Set<IPAddress>)
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

    /// The connections of `node` are on their way here, or elsewhere, by themselves.
    func moved(from node: NodeID) { mailbox.post(.moved(node)) }

    /// On any thread: the gateway of `node` was killed, and its guard has those of its connections that can go on.
    func bequeathed(by node: NodeID) { mailbox.post(.bequeathed(node)) }

    /// On the heir's thread: these connections of a killed gateway go on here, and no more will come.
    func inherited(_ flows: Set<ConnectionRecord.Flow>) { mailbox.post(.inherited(flows)) }

    /// The addresses that this node holds, and whether it looks for a new leader or is one that has just been elected.
    func turn(held: [IPAddress], isLeaderless: Bool) {
        noticed.withLock { noticed in
            if isLeaderless, !noticed.isLeaderless { mailbox.post(.leaderless) }
            if held != noticed.held { mailbox.post(.held(Set(held))) }
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
        // Left by a killed gateway to whose addresses this node succeeded.
        var left: (records: [ConnectionRecord], until: Instant)?
        while true {
            var waiting = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, left.map { Int32(($0.until - .now()).milliseconds.rounded(.up)) } ?? -1)
            for message in mailbox.drain() {
                switch message {
                case .shared(let bytes, let node):
                    take(bytes, from: node, into: &connections)
                    if !lost.isEmpty { forsake(&lost, connections.addresses) }
                case .moved(let node): connections.forget(from: node)
                case .bequeathed(let node): connections.bequeath(from: node)
                case .inherited(let flows):
                    if let records = left?.records { end(records.filter { !flows.contains($0.flow) }) }
                    left = nil
                case .leaderless: muteResets(connections.addresses)
                case .held(let addresses):
                    let gained = addresses.subtracting(held)
                    lost = lost.union(held).subtracting(addresses)
                    held = addresses
                    let taken = connections.take(to: gained, at: .now())
                    if !taken.records.isEmpty { rebuild(taken.records) }
                    if !taken.bequeathed.isEmpty { left = (taken.bequeathed, .now() + Self.bequestPatience) }
                case .stop:
                    unmute()
                    return
                }
            }
            if let (records, until) = left, .now() >= until {
                end(records)
                left = nil
            }
            tally.known(connections.count)
        }
    }

    /// The guard of the gateway that had them resets those that it knows, once, and resets get lost.
    private func end(_ records: [ConnectionRecord]) {
        if records.isEmpty { return }
        var run = RebuildRun([], ending: records, workers: workers)
        run.finish { unmute() }
        Log.info("vip: \(records.count) connections that a killed gateway left busy have ended")
    }

    private func forsake(_ lost: inout Set<IPAddress>, _ elsewhere: Set<IPAddress>) {
        let gone = lost.intersection(elsewhere)
        if !gone.isEmpty { workers.forsake(gone) }
        lost.subtract(gone)
    }

    private func take(_ bytes: [UInt8], from node: NodeID, into connections: inout SharedConnections) {
        do throws(DecodingFault) {
            let records = try ConnectionRecords(decoding: bytes).records
            tally.refused(connections.take(records, from: node, at: .now()))
        } catch {
            Log.debug("vip: what node \(node) shares of its connections can not be read: \(error)")
        }
    }

    private func rebuild(_ records: [ConnectionRecord]) {
        let began = Instant.now()
        muteResets(Set(records.map(\.local.ip)))
        var run = RebuildRun(records, workers: workers)
        run.finish { unmute() }
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
