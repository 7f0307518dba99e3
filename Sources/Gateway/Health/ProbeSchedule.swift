import Posix
import TLS

/// A backend and how it is checked.
package struct ProbeTarget: Hashable, Sendable {
    package var backend: BackendKey
    package var check: HealthCheck
    /// The backend wants every connection to begin with a PROXY header.
    package var introduces: ProxyHeaderVersion?
    package var security: BackendSecurity

    package init(
        backend: BackendKey, check: HealthCheck, introduces: ProxyHeaderVersion? = nil,
        security: BackendSecurity = .plain
    ) {
        self.backend = backend
        self.check = check
        self.introduces = introduces
        self.security = security
    }
}

/// Names one probe among all that a schedule ever starts; from 1.
package struct ProbeID: Hashable, Sendable {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
}

/// A probe's result and where it leaves the backend.
package struct HealthObservation: Hashable, Sendable {
    package var backend: BackendKey
    /// nil while every result was inconclusive.
    package var verdict: HealthVerdict?
    package var result: ProbeResult
    /// The verdict is another one than before this result.
    package var isChange: Bool

    package init(backend: BackendKey, verdict: HealthVerdict?, result: ProbeResult, isChange: Bool) {
        self.backend = backend
        self.verdict = verdict
        self.result = result
        self.isChange = isChange
    }
}

/// Decides when which backend is probed, and what the results mean. Pure: time and results come in, probes to start
/// and to give up come out.
package struct ProbeSchedule: Sendable {
    package enum Action: Hashable, Sendable {
        case start(ProbeID, ProbeTarget)
        /// The probe's time is up, or its target is gone. Its result is no longer wanted.
        case abandon(ProbeID)
        case report(HealthObservation)
    }

    /// Probes that run at a time; further ones wait until one has ended.
    package static let maximumRunning = 256
    /// Fresh targets get their first probe within this time, spread evenly.
    package static let spread = Nanoseconds.seconds(1)

    private struct Slot: Sendable {
        let target: ProbeTarget
        var judge: HealthJudge
        var running: ProbeID?
        var nextStart: Instant
    }

    private var slots: [BackendKey: Slot] = [:]
    /// Every target that has no probe running, once.
    private var starts = DeadlineQueue<BackendKey>()
    /// Of running probes, and of some that have ended.
    private var timeouts = DeadlineQueue<ProbeID>()
    private var running: [ProbeID: BackendKey] = [:]
    private var random: RandomSource
    private var lastNumber: UInt64 = 0

    package init(seed: UInt64) { random = RandomSource(seed: seed) }

    /// When `turn` wants to be called next.
    package var nextDeadline: Instant {
        running.count < ProbeSchedule.maximumRunning
            ? min(starts.nextDeadline, timeouts.nextDeadline) : timeouts.nextDeadline
    }

    /// The verdict on a backend so far.
    package func verdict(on backend: BackendKey) -> HealthVerdict? { slots[backend]?.judge.verdict }

    /// Takes the place of all targets. Unchanged ones keep their verdict and their rhythm.
    package mutating func replaceTargets(_ targets: [ProbeTarget], at now: Instant) -> [Action] {
        let before = slots
        slots = [:]
        starts = DeadlineQueue()
        for target in targets {
            let known = before[target.backend].flatMap { $0.target == target ? $0 : nil }
            let slot = known ?? freshSlot(target, at: now)
            slots[target.backend] = slot
            if slot.running == nil { starts.insert(target.backend, at: slot.nextStart) }
        }
        let orphans = running.filter { probe, backend in slots[backend]?.running != probe }.keys
        for probe in orphans { running[probe] = nil }
        return orphans.sorted { $0.number < $1.number }.map { .abandon($0) }
    }

    private mutating func freshSlot(_ target: ProbeTarget, at now: Instant) -> Slot {
        let latest = min(target.check.interval, ProbeSchedule.spread).count
        let first = now + Nanoseconds(UInt64.random(in: 0...latest, using: &random))
        let judge = HealthJudge(rise: target.check.rise, fall: target.check.fall)
        return Slot(target: target, judge: judge, nextStart: first)
    }

    /// Gives up what is overdue and starts what is due.
    package mutating func turn(at now: Instant) -> [Action] {
        var actions: [Action] = []
        while let probe = timeouts.popDue(at: now) {
            guard let backend = running[probe], let limit = slots[backend]?.target.check.timeout else { continue }
            actions.append(.abandon(probe))
            if let observation = finish(probe, .timedOut(after: limit), at: now) {
                actions.append(.report(observation))
            }
        }
        while running.count < ProbeSchedule.maximumRunning, let backend = starts.popDue(at: now) {
            guard let slot = slots[backend] else { continue }
            lastNumber += 1
            let probe = ProbeID(lastNumber)
            slots[backend]?.running = probe
            slots[backend]?.nextStart = now + slot.target.check.interval
            running[probe] = backend
            timeouts.insert(probe, at: now + slot.target.check.timeout)
            actions.append(.start(probe, slot.target))
        }
        return actions
    }

    /// Takes a probe's result in. nil when the probe had been given up before.
    package mutating func finish(_ probe: ProbeID, _ result: ProbeResult, at now: Instant) -> HealthObservation? {
        guard let backend = running.removeValue(forKey: probe), var slot = slots[backend] else { return nil }
        slot.running = nil
        let isChange = slot.judge.record(result)
        slots[backend] = slot
        starts.insert(backend, at: max(now, slot.nextStart))
        while let next = timeouts.first, running[next] == nil { timeouts.removeFirst() }
        return HealthObservation(
            backend: backend, verdict: slot.judge.verdict, result: result, isChange: isChange)
    }
}

extension GatewayConfiguration {
    /// Every backend that is checked.
    package func probeTargets(_ securities: BackendSecurities = .none) -> [ProbeTarget] {
        upstreams.flatMap { upstream -> [ProbeTarget] in
            guard let check = upstream.namedCheck else { return [] }
            let security = securities.security(of: upstream)
            return upstream.backends.map { backend in
                ProbeTarget(
                    backend: BackendKey(upstream: upstream.name, address: backend.address), check: check,
                    introduces: upstream.proxyProtocol, security: security)
            }
        }
    }
}

extension Upstream {
    /// Its check, which asks for the name that TLS asks for if it has none of its own.
    fileprivate var namedCheck: HealthCheck? {
        guard var check = health else { return nil }
        if case .http(var probe) = check.probe, probe.host == nil {
            probe.host = tls?.serverName
            check.probe = .http(probe)
        }
        return check
    }
}
