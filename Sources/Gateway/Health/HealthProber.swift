import Glibc
import Posix
import Synchronization
import TLS

/// Probes backends from a thread of its own, without ever waiting for one of them.
package final class HealthProber: Sendable {
    private let orders: ProberOrders
    private let thread: Thread

    /// Starts the thread. `seed` spreads the first probes; `observe` is called on the thread for every result.
    package init(
        seed: UInt64, observe: @escaping @Sendable (HealthObservation) -> Void
    ) throws(SystemError) {
        orders = try ProberOrders()
        // Made here so that its errors reach the caller; only the new thread ever uses it.
        nonisolated(unsafe) let loop = try ProberLoop(orders: orders, seed: seed, observe: observe)
        thread = try Thread(name: "health") { loop.run() }
    }

    /// Takes the place of all targets; unchanged ones keep their verdict. From any thread.
    package func setTargets(_ targets: [ProbeTarget]) { orders.give { $0.targets = targets } }

    /// Ends the thread and waits for it. Call at most once.
    package func stop() {
        orders.give { $0.isStopped = true }
        thread.join()
    }
}

/// What the prober's thread is told; of several lists of targets only the newest counts.
private final class ProberOrders: Sendable {
    struct Content {
        var targets: [ProbeTarget]?
        var isStopped = false
    }

    private let content = Mutex(Content())
    private let wake: WakeEvent

    init() throws(SystemError) { wake = try WakeEvent() }

    var descriptor: Int32 { wake.raw }

    func give(_ change: (inout Content) -> Void) {
        content.withLock { change(&$0) }
        wake.signal()
    }

    func take() -> Content {
        wake.clear()
        return content.withLock { content in
            let taken = content
            content.targets = nil
            return taken
        }
    }
}

/// The thread's own: a poller and a timer, the schedule, and the probes that are on their way.
private final class ProberLoop {
    private static let ordersToken: UInt64 = 0
    private static let timerToken = UInt64.max
    /// What a probe sends at once is a handshake's flight or a request: at most a chain of certificates.
    private static let wireBytes = 256 << 10

    private let orders: ProberOrders
    private let observe: @Sendable (HealthObservation) -> Void
    private let poller: Poller
    private let timer: TimerDescriptor
    private let wire: TLSWire
    private var schedule: ProbeSchedule
    /// By the number of the probe, which is its token with the poller too.
    private var probes: [UInt64: RunningProbe] = [:]
    private var nextComplaint = Instant.zero

    /// Gives a probe, which can not be copied, a place in a dictionary.
    private final class RunningProbe {
        var probe: Probe
        init(_ probe: consuming Probe) { self.probe = probe }
    }

    init(
        orders: ProberOrders, seed: UInt64, observe: @escaping @Sendable (HealthObservation) -> Void
    ) throws(SystemError) {
        self.orders = orders
        self.observe = observe
        schedule = ProbeSchedule(seed: seed)
        do throws(TLSFailure) { wire = try TLSWire(capacity: ProberLoop.wireBytes) } catch {
            throw SystemError("set up", "TLS", code: ENOMEM)
        }
        poller = try Poller()
        timer = try TimerDescriptor()
        try poller.add(orders.descriptor, .read, token: ProberLoop.ordersToken)
        try poller.add(timer.raw, .read, token: ProberLoop.timerToken)
    }

    func run() {
        while true {
            timer.arm(at: schedule.nextDeadline)
            guard let count = wait() else { return }
            for index in 0..<count {
                switch poller.event(index).token {
                case ProberLoop.ordersToken:
                    let content = orders.take()
                    if content.isStopped { return }
                    if let targets = content.targets {
                        perform(schedule.replaceTargets(targets, at: .now()))
                    }
                case ProberLoop.timerToken: timer.clear()
                case let number: advance(number)
                }
            }
            perform(schedule.turn(at: .now()))
        }
    }

    private func wait() -> Int? {
        do throws(SystemError) {
            return try poller.wait(timeoutMilliseconds: -1)
        } catch {
            Log.error("health: backends are no longer checked: \(error)")
            return nil
        }
    }

    private func perform(_ actions: [ProbeSchedule.Action]) {
        for action in actions {
            switch action {
            case .start(let id, let target): start(id, target)
            case .abandon(let id): probes[id.number] = nil
            case .report(let observation): observe(observation)
            }
        }
    }

    private func start(_ id: ProbeID, _ target: ProbeTarget) {
        if case .unusable(let reason) = target.security { return finish(id, .unusableFiles(reason)) }
        do throws(SystemError) {
            let running = RunningProbe(try Probe(target, wire: wire))
            try poller.add(running.probe.descriptor, [.read, .write, .edgeTriggered], token: id.number)
            probes[id.number] = running
        } catch {
            finish(id, ProbeResult(failure: error.code))
        }
    }

    private func complain(of result: ProbeResult) {
        let now = Instant.now()
        if now < nextComplaint { return }
        nextComplaint = now + .seconds(10)
        Log.warning("health: this machine can not probe backends, verdicts stay as they are: \(result)")
    }

    private func advance(_ number: UInt64) {
        guard let result = probes[number]?.probe.advance() else { return }
        finish(ProbeID(number), result)
    }

    /// Closes the probe's connection, which takes it out of the poller.
    private func finish(_ id: ProbeID, _ result: ProbeResult) {
        probes[id.number] = nil
        if result.isSuccess == nil { complain(of: result) }
        if let observation = schedule.finish(id, result, at: .now()) { observe(observation) }
    }
}
