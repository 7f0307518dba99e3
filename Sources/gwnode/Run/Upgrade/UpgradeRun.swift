import Gateway
import Glibc
import Posix
import Raft

/// One upgrade, on a thread of its own: carries out what `UpgradeSequence` decides.
final class UpgradeRun {
    /// Until a majority has granted the time for the switch.
    private static let grantLimit = Nanoseconds.seconds(1)
    /// Of that time, what has to be left.
    private static let shortestGrant = Nanoseconds.milliseconds(1500)
    private static let pauseMilliseconds: Int32 = 1
    /// Connections that come to rest are handed over so often, at first and later.
    private static let busyPause = Nanoseconds.milliseconds(2)
    private static let calmPause = Nanoseconds.milliseconds(20)
    private static let busyTime = Nanoseconds.seconds(5)

    private let node: GatewayNode
    private let program: String
    private var sequence = UpgradeSequence()
    private var events: [UpgradeSequence.Event] = []
    private var successor: Successor?
    private var estate: Estate?
    private var departing: DepartingConnections?
    /// Connections that the successor has not taken yet.
    private var resting: [DetachedSocket] = []
    private var outcome: UpgradeSequence.Outcome?
    /// When addresses that this process itself listens on have to be given up.
    private var leaseEnd = Instant.distantFuture
    private var suspendedAt: Instant?
    private(set) var pause: Nanoseconds?
    private(set) var connectionsHandedOver = 0

    init(_ node: GatewayNode, program: String) {
        self.node = node
        self.program = program
    }

    var successorPID: pid_t? { successor?.pid }

    /// Returns when the sequence is over.
    func run() -> UpgradeSequence.Outcome {
        carryOut(sequence.begin())
        while !sequence.isOver {
            let event = events.isEmpty ? nextEvent() : events.removeFirst()
            guard let event else { continue }
            carryOut(sequence.take(event, at: .now()))
        }
        // The next process has what it needs.
        estate = nil
        return outcome ?? .failed(because: "the upgrade ended without a word")
    }

    /// Nothing is begun beside a process that does not end.
    private func carryOut(_ actions: [UpgradeSequence.Action]) {
        for action in actions {
            perform(action)
            if case .broken = events.first { return }
        }
    }

    /// Hands connections over as they come to rest; returns when all have ended or gone.
    func handOverTheRest() {
        let began = Instant.now()
        while !node.workers.haveEnded {
            carry()
            let pause = Instant.now() - began < Self.busyTime ? Self.busyPause : Self.calmPause
            _ = poll(nil, 0, Int32(pause.milliseconds))
        }
        carry()
    }

    private func nextEvent() -> UpgradeSequence.Event? {
        if Instant.now() >= leaseEnd { giveAddressesUp() }
        carry()
        var until = min(sequence.deadline, leaseEnd)
        if departing != nil { until = min(until, .now() + Self.busyPause) }
        guard let successor else { return .ended }
        switch successor.receive(until: until) {
        case .nothing: return Instant.now() >= sequence.deadline ? .timeIsOver : nil
        case .end: return .refused(successor.end)
        case .unreadable: return .refused("it can not be understood, as another version of this program could be")
        case .message(let message): return event(of: message, from: successor)
        }
    }

    private func event(of message: UpgradeMessage, from successor: Successor) -> UpgradeSequence.Event? {
        switch message {
        case .hello:
            let offer = UpgradeOffer(
                node.configuration, workers: node.workers.count, guardVersion: node.hasGuard ? GuardOrder.version : 0)
            return successor.send(.offer(offer)) ? nil : .ended
        case .prepared(let version): return .prepared(version: version)
        case .refused(let reason): return .refused(reason)
        case .begins: return .begins
        case .serves:
            // What this process listened on is the other's now.
            leaseEnd = .distantFuture
            pause = suspendedAt.map { .now() - $0 }
            return .serves
        case .proven: return .proven
        case .offer, .listeners, .estate, .connections: return .refused("it says what only a former process may say")
        }
    }

    private func perform(_ action: UpgradeSequence.Action) {
        switch action {
        case .start(let candidate): start(candidate)
        case .askForTime: askForTime()
        case .suspend: suspend()
        case .give(let continuing):
            guard let successor, let estate, estate.give(to: successor, continuing: continuing) else {
                return events.append(.ended)
            }
        case .handOver: handOver()
        case .kill:
            guard let successor else { return }
            if !successor.kill() { events = [.broken("the process \(successor.pid ?? 0) does not end")] }
            self.successor = nil
        case .conclude(let outcome): self.outcome = outcome
        }
    }

    private func start(_ candidate: UpgradeSequence.Candidate) {
        if candidate == .former {
            Log.error("upgrade: the new process failed; a process of the former program takes its place")
        }
        do throws(SystemError) {
            successor = try Successor(
                program: candidate == .new ? program : "/proc/self/exe", configPath: node.configPath)
            events.append(.started)
        } catch { events.append(.notStarted("\(error)")) }
    }

    private func askForTime() {
        node.raft.perform { $0.prepareToPause(true) }
        node.raft.prepareToPause()
        let deadline = Instant.now() + Self.grantLimit
        while Instant.now() < deadline {
            guard let raft = node.view.current?.raft else { break }
            if outlastsPause(raft, at: .now()) { return events.append(.granted) }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
        events.append(
            .notGranted(
                "the other nodes do not grant the time that the switch takes; `gwnode status` shows how they are"))
    }

    /// Whether this node, and those to which it lends addresses, keep what they hold until the switch is over.
    private func outlastsPause(_ raft: Status, at now: Instant) -> Bool {
        let least = now + Self.shortestGrant
        guard raft.role == .leader else {
            return raft.borrowed.map { $0.rights.isEmpty || $0.validUntil > least } ?? true
        }
        return (raft.pauseEnd ?? .zero) > least && raft.peers.allSatisfy { $0.granted.isEmpty || $0.hasLongGrant }
    }

    private func suspend() {
        suspendedAt = .now()
        guard let estate = node.suspend() else {
            return events.append(.broken("consensus did not come to its end; see the messages before this one"))
        }
        self.estate = estate
        if !node.hasGuard, let end = estate.leaseEnd(node.timing.pause) { leaseEnd = end }
        events.append(.suspended)
    }

    /// Without a guard nothing else takes them off when the lease is over.
    private func giveAddressesUp() {
        leaseEnd = .distantFuture
        let addresses = Set(node.view.current?.heldAddresses ?? [])
        Log.error("upgrade: the switch took longer than the lease; the virtual addresses are given up")
        node.workers.removeListeners(on: addresses)
    }

    private func handOver() {
        guard departing == nil else { return }
        let departing = DepartingConnections()
        self.departing = departing
        node.workers.handOver(departing, until: .now() + node.configuration.upgradeTimeout)
    }

    private func carry() {
        guard let departing else { return }
        resting += departing.take()
        while !resting.isEmpty {
            var batch: [DetachedSocket] = []
            var bytes = 0
            for socket in resting.prefix(DescriptorChannel.descriptors) where bytes < UpgradeMessage.Limit.unread {
                batch.append(socket)
                bytes += socket.unread.count
            }
            let message = UpgradeMessage.connections(unread: batch.map(\.unread))
            guard successor?.send(message, batch.map(\.descriptor)) == true else {
                // Another process may take them yet.
                if sequence.isOver { drop() }
                return
            }
            for socket in batch { close(socket.descriptor) }
            connectionsHandedOver += batch.count
            resting.removeFirst(batch.count)
        }
    }

    private func drop() {
        for socket in resting { close(socket.descriptor) }
        resting = []
    }
}
