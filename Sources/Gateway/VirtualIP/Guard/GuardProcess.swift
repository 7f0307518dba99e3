import CLinux
import Glibc
import Posix
import Raft

/// `gwnode guard`: the process that alone touches the virtual addresses of a gateway, so that the gateway's death,
/// pause or overload can not keep them on the machine. It reads no file, writes none, and lives as long as its gateway.
package enum GuardProcess {
    /// The first argument of the program; the interface is the second.
    package static let command = "guard"

    private static let fifoPriority: Int32 = 20
    private static let nice: Int32 = -20

    /// Serves the gateway at the other end of standard input; returns when that has ended and the addresses are gone.
    package static func run(interface: String, version: String) -> Int32 {
        // Whoever stops the gateway's service signals this process too; it has to outlive the gateway.
        for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE] { _ = signal(number, SIG_IGN) }
        Log.inheritFormat()
        let channel = GuardChannel(owning: STDIN_FILENO)
        defer { Log.flush() }
        _ = channel.send(GuardReport.introduction(speaks: GuardOrder.version, version: version).encoded())
        do throws(VirtualIPError) {
            let lock = try GuardLock(interface: interface, gateway: clinux_peer_pid(STDIN_FILENO))
            let bequest = try guardAddresses(of: interface, channel)
            // From here on another guard may work on the interface.
            _ = consume lock
            bequest?.wait()
            return 0
        } catch {
            _ = channel.send(GuardReport.refused(what: error.what, cure: error.cure).encoded())
            return 1
        }
    }

    /// Returns when they are gone, and nothing of the guard touches the interface any more.
    private static func guardAddresses(
        of interface: String, _ channel: GuardChannel
    ) throws(VirtualIPError) -> Bequest? {
        // Before the session, whose threads inherit it.
        takePriority()
        return try GuardSession(interface: interface, channel).serve()
    }

    private static func takePriority() {
        let memory = mlockall(Int32(MCL_CURRENT) | Int32(MCL_FUTURE)) == 0 ? "locked" : "not locked"
        let scheduling =
            clinux_set_fifo(fifoPriority) == 0
            ? "under SCHED_FIFO, priority \(fifoPriority)"
            : clinux_set_thread_nice(nice) == 0 ? "at nice \(nice)" : "at ordinary priority"
        Log.info(
            "guard: pid \(getpid()) runs \(scheduling), memory \(memory)", [.event("guard-started"), .pid(getpid())])
    }
}

/// One gateway's guard at work.
final class GuardSession {
    /// The kernel closes what a process had one by one and frees its memory first, so its lease may run out before it is
    /// known to have ended.
    private static let endingLimit = Nanoseconds.seconds(1)
    /// How long addresses that can not be removed are tried once the gateway is gone.
    private static let patience = Nanoseconds.seconds(10)

    private let interface: String
    private let channel: GuardChannel
    private let provider: NetlinkProvider
    private let manager: VirtualIPManager
    private let timer: TimerDescriptor
    private let link: WakeEventBox
    private var order = GuardOrder(sequence: 0, lease: nil, isShuttingDown: false)
    private var witnesses: Witnesses?
    private var schedule = NoticeSchedule()
    private var goneSince: Instant?
    /// Not told yet, because the gateway did not read.
    private var resignation: VirtualIPClaim.Reason?
    private var owesReport = true
    private let notices: NoticeSocket
    /// Nil while the gateway entrusts no connections.
    private var keeper: CustodyKeeper?
    /// Of the gateway's `ResetMute`.
    private var muteSocket: Passed?
    /// What was held last, and by which lease.
    private var lastHeld: (addresses: [IPAddress], lease: Lease)?
    /// The gateway ended while it held these addresses or a moment later, and left connections to them.
    private var left: Left?
    private var bequest: Bequest?

    init(interface: String, _ channel: GuardChannel) throws(VirtualIPError) {
        let link = try Self.explaining { () throws(SystemError) in try WakeEventBox() }
        self.interface = interface
        self.link = link
        notices = try Self.explaining { () throws(SystemError) in try NoticeSocket() }
        timer = try Self.explaining { () throws(SystemError) in try TimerDescriptor() }
        provider = try NetlinkProvider(interface: interface, ownFence: .guard) { link.event.signal() }
        manager = VirtualIPManager(provider: provider)
        self.channel = channel
    }

    private static func explaining<Value: ~Copyable>(
        _ body: () throws(SystemError) -> Value
    ) throws(VirtualIPError) -> Value {
        do throws(SystemError) { return try body() } catch {
            throw VirtualIPError("the guard of the virtual addresses can not start: \(error)", cure: error.cure)
        }
    }

    /// - Returns: what the gateway left, until somebody has taken it.
    func serve() -> Bequest? {
        while true {
            let next = turn(.now())
            if isOver { return bequest }
            var polls = [channel.raw, timer.raw, link.event.raw].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            if goneSince != nil { polls[0].fd = -1 }
            timer.arm(at: next)
            _ = poll(&polls, nfds_t(polls.count), -1)
            timer.clear()
            link.event.clear()
            takeOrders()
        }
    }

    private var isOver: Bool {
        guard let goneSince else { return false }
        let isDone = manager.isClear && schedule.nextDeadline == .distantFuture
        return isDone || Instant.now() - goneSince > Self.patience
    }

    /// Acts on the time and on what came; returns when the next turn is due.
    private func turn(_ now: Instant) -> Instant {
        let isGone = goneSince != nil
        let lease = isGone || order.isShuttingDown ? nil : order.lease
        let turn = manager.turn(
            now: now, lease: lease, share: order.share, isShuttingDown: order.isShuttingDown || isGone)
        if let lease, !manager.held.isEmpty { lastHeld = (manager.held, lease) }
        schedule.note(
            holds: !manager.isClear, lease: order.isShuttingDown ? nil : order.lease?.term, isGone: isGone, now: now)
        if let due = schedule.due(at: now), let witnesses {
            send(due.cause, of: due.term, to: witnesses)
        }
        if manager.isClear { bequeath() }
        resignation = turn.resignation ?? resignation
        if turn.hasChanged || resignation != nil { owesReport = true }
        if owesReport, !isGone { report() }
        let end = goneSince.map { $0 + Self.patience + .milliseconds(1) } ?? .distantFuture
        return min(turn.nextDeadline, schedule.nextDeadline, end)
    }

    /// Of borrowed addresses only the end of the process is final: the leader may have lent them anew.
    private func send(_ cause: ReleaseNotice.Cause, of term: Term, to witnesses: Witnesses) {
        var notice = ReleaseNotice(
            node: witnesses.node, term: term, cause: cause, connections: left.map { UInt32(max($0.count, 1)) } ?? 0)
        if case .borrowed(_, let boot) = order.share {
            guard cause == .processGone else { return }
            notice.cause = .borrowerGone
            notice.boot = boot
        }
        for peer in witnesses.peers { notices.send(notice.encoded(key: witnesses.key), to: peer) }
    }

    private func report() {
        let state = GuardReport.State(
            sequence: order.sequence, fence: manager.fence, held: manager.held,
            holdsUntil: order.lease?.validUntil ?? .zero,
            stuck: Array(manager.occupied.subtracting(manager.held)), onHold: manager.onHold,
            resignation: resignation)
        guard channel.send(GuardReport.state(state).encoded()) else { return }
        owesReport = false
        resignation = nil
    }

    private func takeOrders() {
        while goneSince == nil {
            switch channel.receive() {
            case .nothing: return
            case .end:
                Log.info("guard: the gateway has ended")
                goneSince = .now()
                noteWhatIsLeft()
            case .datagram(let bytes, let descriptors):
                if !descriptors.isEmpty { beginCustody(descriptors) }
                do throws(DecodingFault) { take(try GuardOrder(decoding: bytes)) } catch {
                    Log.error("guard: an order can not be read: \(error)")
                }
            }
        }
    }

    private func take(_ order: GuardOrder) {
        let former = self.order
        self.order = order
        owesReport = true
        if let witnesses = order.witnesses { self.witnesses = witnesses }
        if let addresses = order.addresses { manager.configure(addresses: addresses, ports: []) }
        guard order.onHold != former.onHold || order.heldBack != former.heldBack else { return }
        manager.keepBack(order.onHold, for: Set(order.heldBack))
        // The gateway has let go of connections that may be back before long.
        if order.onHold == .everything { keeper?.letGo() }
    }
}

/// A wake event that other threads hold too.
private final class WakeEventBox: Sendable {
    let event: WakeEvent
    init() throws(SystemError) { event = try WakeEvent() }
}

/// Connections of clients that outlive their gateway.
extension GuardSession {
    private struct Left {
        var addresses: Set<IPAddress>
        var open: OpenFlows
        /// Of those in custody.
        var count: Int
        var relay: ArrivalRelay
    }

    private func beginCustody(_ descriptors: [Int32]) {
        let owned = descriptors.map(Passed.init)
        guard 2...3 ~= owned.count else { return Log.error("guard: what the gateway passes is not known here") }
        do throws(SystemError) {
            let table = try CustodyTable(memory: FileDescriptor(owning: owned[1].take()))
            // Of a former process of the node, whose connections are that one's or the next one's by now.
            keeper?.stop()
            keeper = try CustodyKeeper(channel: GuardChannel(owning: owned[0].take()), table: table)
            muteSocket = owned.dropFirst(2).first
        } catch { Log.warning("guard: open connections are lost should the gateway be killed: \(error)") }
    }

    /// Without the kernel's gate arrivals can not be kept away from connections that are on their way. Those of borrowed
    /// addresses end: only a new leader asks for what is left.
    private func noteWhatIsLeft() {
        guard let keeper else { return }
        if !order.isShuttingDown, order.share.tenure != .borrowed, let lastHeld,
            order.lease?.term == lastHeld.lease.term, manager.fence == .kernel,
            Instant.now() < lastHeld.lease.validUntil + Self.endingLimit
        {
            let addresses = Set(lastHeld.addresses)
            left = Left(
                addresses: addresses, open: OpenFlows(to: addresses), count: keeper.count,
                relay: provider.keepArrivals(for: lastHeld.addresses))
        } else {
            self.keeper = nil
            keeper.stop()
        }
    }

    /// To be called when the addresses are off: until then the kernel acknowledges what arrives.
    private func bequeath() {
        guard let left, let keeper else { return }
        self.keeper = nil
        guard let witnesses, let term = order.lease?.term else { return keeper.stop() }
        do throws(SystemError) {
            bequest = try Bequest(
                keeper, of: left.addresses, open: left.open, on: interface, by: witnesses, term: term, through: notices
            ) { [relay = left.relay] in relay.connectionsAreThere() }
        } catch {
            keeper.stop()
            Log.error("guard: the open connections are lost: \(error)")
        }
    }
}

/// A descriptor that was passed, until somebody takes it.
private final class Passed {
    private var descriptor: Int32?

    init(_ raw: Int32) { descriptor = raw }

    func take() -> Int32 {
        guard let raw = descriptor.take() else { preconditionFailure("taken twice") }
        return raw
    }

    deinit {
        if let descriptor { close(descriptor) }
    }
}
