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
    package static func run(interface: String) -> Int32 {
        // Whoever stops the gateway's service signals this process too; it has to outlive the gateway.
        for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE] { _ = signal(number, SIG_IGN) }
        Log.inheritFormat()
        let channel = GuardChannel(owning: STDIN_FILENO)
        defer { Log.flush() }
        do throws(VirtualIPError) {
            let lock = try GuardLock(interface: interface)
            // Before the session, whose threads inherit it.
            takePriority()
            let session = try GuardSession(interface: interface, channel)
            session.serve()
            withExtendedLifetime(lock) {}
            return 0
        } catch {
            _ = channel.send(GuardReport.refused(what: error.what, cure: error.cure).encoded())
            return 1
        }
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
    /// How long addresses that can not be removed are tried once the gateway is gone.
    private static let patience = Nanoseconds.seconds(10)

    private let channel: GuardChannel
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

    init(interface: String, _ channel: GuardChannel) throws(VirtualIPError) {
        let link = try Self.explaining { () throws(SystemError) in try WakeEventBox() }
        self.link = link
        timer = try Self.explaining { () throws(SystemError) in try TimerDescriptor() }
        let provider = try NetlinkProvider(interface: interface, ownFence: .guard) { link.event.signal() }
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

    func serve() {
        while true {
            let next = turn(.now())
            if isOver { return }
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
        let turn = manager.turn(now: now, lease: lease, isShuttingDown: order.isShuttingDown || isGone)
        schedule.note(
            holds: !manager.isClear, lease: order.isShuttingDown ? nil : order.lease?.term, isGone: isGone, now: now)
        if let due = schedule.due(at: now), let witnesses {
            ReleaseNotice(node: witnesses.node, term: due.term, cause: due.cause).send(to: witnesses)
        }
        resignation = turn.resignation ?? resignation
        if turn.hasChanged || resignation != nil { owesReport = true }
        if owesReport, !isGone { report() }
        let end = goneSince.map { $0 + Self.patience + .milliseconds(1) } ?? .distantFuture
        return min(turn.nextDeadline, schedule.nextDeadline, end)
    }

    private func report() {
        let state = GuardReport.State(
            sequence: order.sequence, fence: manager.fence, held: manager.held,
            holdsUntil: order.lease?.validUntil ?? .zero, isClear: manager.isClear, onHold: manager.onHold,
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
            case .datagram(let bytes):
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
        if order.onHold != former.onHold { manager.keepBack(order.onHold) }
    }
}

/// A wake event that other threads hold too.
private final class WakeEventBox: Sendable {
    let event: WakeEvent
    init() throws(SystemError) { event = try WakeEvent() }
}

extension ReleaseNotice {
    /// Sends it by UDP, from whatever port. What can not be sent is waited for by the others.
    fileprivate func send(to witnesses: Witnesses) {
        let bytes = encoded(key: witnesses.key)
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        for peer in witnesses.peers {
            let raw = socket(peer.family, type, 0)
            guard raw >= 0 else { continue }
            let descriptor = FileDescriptor(owning: raw)
            _ = peer.withSockaddr { sendto(descriptor.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1) }
        }
    }
}
