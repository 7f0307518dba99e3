import CLinux
import Glibc
import Posix
import Synchronization

/// Runs the operator's command on a thread of its own, several calls beside each other but one for each address.
final class HookRunner: Sendable {
    /// A call that is over.
    struct End: Sendable {
        var call: HookCall
        var outcome: HookOutcome
        /// The last line of what it printed, for the log.
        var lastLine: String
        var duration: Nanoseconds
    }

    private enum Order {
        case start(HookCall)
        case kill(IPAddress)
        case stop
    }

    private final class Run {
        let call: HookCall
        let captured: CapturedProcess
        let startedAt = Instant.now()
        /// Readable when the process has ended.
        let end: FileDescriptor

        init(_ call: HookCall, _ captured: CapturedProcess, end: consuming FileDescriptor) {
            self.call = call
            self.captured = captured
            self.end = end
        }

        var process: ChildProcess { captured.process }
    }

    private enum Limit {
        /// Of what a call prints, its end; the rest is read and dropped.
        static let outputBytes = 4096
        static let lineBytes = 256
        static let orders = 1024
    }

    private let command: String
    private let environment: [String]
    private let onEnd: @Sendable () -> Void
    private let orders: Mailbox<Order>
    private let ends = Mutex<[End]>([])
    private let thread = Mutex<Posix.Thread?>(nil)

    /// `onEnd` is called on another thread when `takeEnds` has something.
    init(command: String, environment: [String], onEnd: @escaping @Sendable () -> Void) throws(SystemError) {
        self.command = command
        self.environment = environment
        self.onEnd = onEnd
        orders = try Mailbox(capacity: Limit.orders)
        let started = try Posix.Thread(name: "hooks", stackBytes: 256 << 10) { [self] in serve() }
        thread.withLock { $0 = started }
    }

    func start(_ call: HookCall) { order(.start(call)) }

    /// Kills the address's call, if there is one.
    func kill(_ address: IPAddress) { order(.kill(address)) }

    func takeEnds() -> [End] {
        ends.withLock { ends in
            defer { ends = [] }
            return ends
        }
    }

    /// Kills what is still under way.
    func stop() {
        order(.stop)
        thread.withLock { $0.take() }?.join()
    }

    /// There are fewer calls than fit: one for each address, and their kills.
    private func order(_ order: Order) {
        let isTaken = orders.post(order)
        precondition(isTaken, "calls of hooks are bounded by the number of addresses")
    }

    private func serve() {
        var runs: [Run] = []
        var isStopping = false
        while !isStopping || !runs.isEmpty {
            var polls = [pollfd(fd: orders.descriptor, events: Int16(POLLIN), revents: 0)]
            for run in runs {
                polls.append(pollfd(fd: run.end.raw, events: Int16(POLLIN), revents: 0))
                polls.append(pollfd(fd: run.captured.descriptor, events: Int16(POLLIN), revents: 0))
            }
            _ = retryingOnInterrupt { poll(&polls, nfds_t(polls.count), -1) }
            for (index, run) in runs.enumerated() where polls[2 + 2 * index].revents != 0 {
                run.captured.read()
            }
            var isOver: Set<ObjectIdentifier> = []
            for (index, run) in runs.enumerated() where polls[1 + 2 * index].revents != 0 {
                finish(run)
                isOver.insert(ObjectIdentifier(run))
            }
            runs.removeAll { isOver.contains(ObjectIdentifier($0)) }
            for order in orders.drain() {
                switch order {
                case .start(let call): if let run = launch(call) { runs.append(run) }
                case .kill(let address):
                    for run in runs where run.call.address == address { run.process.signalGroup(SIGKILL) }
                case .stop:
                    isStopping = true
                    for run in runs { run.process.signalGroup(SIGKILL) }
                }
            }
        }
    }

    private func launch(_ call: HookCall) -> Run? {
        do throws(SystemError) {
            let captured = try CapturedProcess(
                command, call.arguments, environment: environment, keeping: Limit.outputBytes)
            let end = clinux_pidfd_open(captured.process.pid)
            guard end >= 0 else {
                let error = SystemError("pidfd_open")
                captured.process.signalGroup(SIGKILL)
                _ = captured.process.wait()
                throw error
            }
            return Run(call, captured, end: FileDescriptor(owning: end))
        } catch {
            note(End(call: call, outcome: .notStarted, lastLine: "\(error)", duration: .zero))
            return nil
        }
    }

    private func finish(_ run: Run) {
        run.captured.read()
        // What it left in the background must not act on the address later. Its number is not free before `wait`.
        run.process.signalGroup(SIGKILL)
        let outcome: HookOutcome =
            switch run.process.wait() {
            case .exited(let status): .exited(status: status)
            case .killed: .killed
            }
        let line =
            run.captured.output.split(separator: UInt8(ascii: "\n")).last.map { Array($0.suffix(Limit.lineBytes)) }
            ?? []
        let shown = String(decoding: line.map { 0x20...0x7e ~= $0 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
        note(End(call: run.call, outcome: outcome, lastLine: shown, duration: Instant.now() - run.startedAt))
    }

    private func note(_ end: End) {
        ends.withLock { $0.append(end) }
        onEnd()
    }
}
