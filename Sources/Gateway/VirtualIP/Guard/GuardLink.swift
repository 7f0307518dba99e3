import CLinux
import Glibc
import Posix
import Raft
import Synchronization

/// The guard's process and the connection to it: starts it, starts it again when it ends, and keeps what it last said.
final class GuardLink: Sendable {
    /// What is known of the guard.
    struct View: Sendable {
        /// Nil while no guard runs.
        var state: GuardReport.State?
        /// The same.
        var identity: GuardIdentity?
        /// What the guard asked for since the last `takeView`.
        var resignation: VirtualIPClaim.Reason?
        /// Of the last order.
        var sequence: UInt64 = 0
        /// When the oldest order that waits for its confirmation was given.
        var unconfirmedSince: Instant?
        /// A guard ended that had been given leases through this term.
        var lostThrough = Term.zero
        /// A guard was started that has not been given a lease yet.
        var needsLease = false
        /// Without a guard: nothing that it held is left on the machine.
        var isCleared = true
    }

    struct State {
        var view = View()
        var channel: GuardChannel?
        var process: GuardHandle?
        var lease: Lease?
        var share = AddressShare.all
        var isShuttingDown = false
        var onHold = ArrivalHold.nothing
        var heldBack: [IPAddress] = []
        /// Nil before the first configuration: what an earlier gateway left stays fenced until then.
        var addresses: [IPAddress]?
        var witnesses: Witnesses?
        var isStopping = false
        /// What an adopted guard is to get with its first order: until there is one, it holds the addresses by the last one
        /// of the former process.
        var undelivered: [Int32] = []
        /// Another process of this node goes on with the guard.
        var isLeft = false
        /// Nil once that has it.
        var claim: InterfaceClaim?
    }

    /// How long a guard may take to be ready: it may have to wait for a former one.
    private static let startLimit = Nanoseconds.seconds(5)
    static let endLimit = Nanoseconds.seconds(2)
    static let shortestPause = Nanoseconds.milliseconds(20)
    static let longestPause = Nanoseconds.seconds(5)

    let interface: String
    let custody: Custody?
    let onChange: @Sendable () -> Void
    let state = Mutex(State())
    private let thread = Mutex<Posix.Thread?>(nil)
    /// Ends the reading of reports.
    let isPassing: WakeEvent

    /// Returns when the guard is ready. `custody` is offered to each guard.
    init(
        interface: String, claim: InterfaceClaim, custody: Custody?, onChange: @escaping @Sendable () -> Void
    ) throws(VirtualIPError) {
        self.interface = interface
        self.custody = custody
        self.onChange = onChange
        isPassing = try Self.wakeEvent()
        state.withLock { $0.claim = claim }
        try start()
        try beginToSupervise()
    }

    init(
        adopting passed: PassedGuard, interface: String, custody: Custody?, onChange: @escaping @Sendable () -> Void
    ) throws(VirtualIPError) {
        self.interface = interface
        self.custody = custody
        self.onChange = onChange
        isPassing = try Self.wakeEvent()
        let end = beginCustody()
        let undelivered = (end?.descriptors ?? []).map(FileDescriptor.copy)
        state.withLock { state in
            state.undelivered = undelivered
            state.channel = GuardChannel(owning: passed.channel)
            state.process = .adopted(ProcessHandle(owning: passed.process))
            state.claim = InterfaceClaim(adopting: passed.claim)
            state.view.sequence = passed.watch.sequence
            state.view.state = passed.watch.state
            state.view.identity = passed.watch.identity
            state.view.needsLease = true
        }
        try beginToSupervise()
    }

    private static func wakeEvent() throws(VirtualIPError) -> WakeEvent {
        do throws(SystemError) { return try WakeEvent() } catch { throw VirtualIPError("\(error)", cure: error.cure) }
    }

    private func beginToSupervise() throws(VirtualIPError) {
        do throws(SystemError) {
            let supervisor = try Posix.Thread(name: "guard", stackBytes: 256 << 10) { [self] in supervise() }
            thread.withLock { $0 = supervisor }
        } catch { throw VirtualIPError("\(error)", cure: error.cure) }
    }

    var view: View { state.withLock { $0.view } }

    func takeView() -> View {
        state.withLock { state in
            defer { state.view.resignation = nil }
            return state.view
        }
    }

    func give(lease: Lease?, share: AddressShare, isShuttingDown: Bool, at now: Instant) {
        state.withLock { state in
            state.lease = lease
            state.share = share
            state.isShuttingDown = isShuttingDown
            state.view.needsLease = false
            Self.sendOrder(&state, withSetup: false)
        }
    }

    func keepBack(_ hold: ArrivalHold, for addresses: [IPAddress]) {
        state.withLock { state in
            guard state.onHold != hold || state.heldBack != addresses else { return }
            state.onHold = hold
            state.heldBack = addresses
            Self.sendOrder(&state, withSetup: false)
        }
    }

    func set(addresses: [IPAddress]) {
        state.withLock { state in
            state.addresses = addresses
            Self.sendOrder(&state, withSetup: true)
        }
    }

    func set(witnesses: Witnesses) {
        state.withLock { state in
            guard state.witnesses != witnesses else { return }
            state.witnesses = witnesses
            Self.sendOrder(&state, withSetup: true)
        }
    }

    /// Kills a guard that does not answer; another one is started.
    func replaceGuard() {
        Log.error("vip: the guard does not answer; it is killed and started again")
        state.withLock { state in
            state.view.unconfirmedSince = nil
            state.process?.signal(SIGKILL)
        }
    }

    /// Lets the guard give everything up and end, and waits for that.
    func stop() {
        let isLeft = state.withLock { state -> Bool in
            if state.isLeft { return true }
            state.isStopping = true
            if let channel = state.channel { _ = shutdown(channel.raw, Int32(SHUT_RDWR)) }
            return false
        }
        if isLeft { return }
        thread.withLock { $0.take() }?.join()
    }

    func leaveToSuccessor() { state.withLock { $0.isLeft = true } }

    func pass() -> PassedGuard? {
        isPassing.signal()
        thread.withLock { $0.take() }?.join()
        custody?.end()
        return state.withLock { state in
            guard let channel = state.channel, let process = state.process, let known = state.view.state,
                let identity = state.view.identity, let claim = state.claim, let descriptor = process.copiedDescriptor
            else { return nil }
            // A copy here would outlive the next process.
            defer {
                state.channel = nil
                state.claim = nil
            }
            return PassedGuard(
                watch: GuardWatch(sequence: state.view.sequence, state: known, identity: identity),
                channel: FileDescriptor.copy(of: channel.raw), process: descriptor,
                claim: FileDescriptor.copy(of: claim.raw))
        }
    }

    private static func sendOrder(_ state: inout State, withSetup: Bool, passing descriptors: [Int32] = []) {
        state.view.sequence += 1
        let order = GuardOrder(
            sequence: state.view.sequence, lease: state.lease, share: state.share,
            isShuttingDown: state.isShuttingDown, onHold: state.onHold, heldBack: state.heldBack,
            addresses: withSetup ? state.addresses : nil, witnesses: withSetup ? state.witnesses : nil)
        let passed = descriptors + state.undelivered
        defer {
            for descriptor in state.undelivered { close(descriptor) }
            state.undelivered = []
        }
        guard let isSent = state.channel?.send(order.encoded(), passing: passed) else { return }
        if state.view.unconfirmedSince == nil { state.view.unconfirmedSince = .now() }
        // Its mailbox is full or closed: it can not go on from what it missed.
        if !isSent { state.process?.signal(SIGKILL) }
    }

    /// Starts a guard and waits for its first report.
    func start() throws(VirtualIPError) {
        let process: ChildProcess
        let channel: GuardChannel
        do throws(SystemError) {
            let ends = try GuardChannel.pair()
            channel = GuardChannel(owning: ends.gateway)
            let far = FileDescriptor(owning: ends.guard)
            // Of the program that runs here, also when another one lies in its place by now.
            let program = executablePath() ?? ""
            process = try ChildProcess(program, [GuardProcess.command, interface], input: far.raw)
        } catch { throw VirtualIPError("the guard can not be started: \(error)", cure: error.cure) }
        let deadline = Instant.now() + Self.startLimit
        var version = ""
        while let report = Self.next(channel.raw, until: deadline) {
            switch report {
            case .introduction(GuardOrder.version, let program): version = program
            case .introduction(_, let program):
                process.signal(SIGKILL)
                _ = process.wait()
                throw VirtualIPError(
                    "the guard is of version \(program), which this one does not understand",
                    cure: "drain the node, then restart it")
            case .refused(let what, let cure):
                _ = process.wait()
                throw VirtualIPError(what, cure: cure)
            case .state(let first):
                let end = beginCustody()
                state.withLock { state in
                    state.view.state = first
                    state.view.identity = GuardIdentity(pid: process.pid, version: version)
                    state.view.needsLease = true
                    state.process = .child(process)
                    state.channel = channel
                    Self.sendOrder(&state, withSetup: true, passing: end?.descriptors ?? [])
                }
                return
            }
        }
        process.signal(SIGKILL)
        throw VirtualIPError(
            "the guard ended before it was ready: \(process.wait())", cure: "see the messages before this one")
    }

    /// What the guard needs to hold connections; nil where it is not to.
    private func beginCustody() -> GuardEnd? {
        do throws(SystemError) { return try custody?.begin() } catch {
            Log.warning("vip: open connections are lost should this process be killed: \(error)")
            return nil
        }
    }
}
