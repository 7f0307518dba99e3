import Gateway
import Glibc
import Posix
import Testing

private func target(_ number: Int, _ check: HealthCheck = HealthCheck()) -> ProbeTarget {
    let address = SocketAddress(ip: IPAddress(v4: 0x0a00_0001), port: UInt16(number))
    return ProbeTarget(backend: BackendKey(upstream: "a", address: address), check: check)
}

private func started(_ actions: [ProbeSchedule.Action]) -> [(id: ProbeID, target: ProbeTarget)] {
    actions.compactMap { action in
        switch action {
        case .start(let id, let target): (id, target)
        case .abandon, .report: nil
        }
    }
}

@Suite struct ProbeScheduleTests {
    private let begin = Instant(nanoseconds: 1_000_000_000_000)

    @Test func firstProbesAreSpread() {
        var schedule = ProbeSchedule(seed: 1)
        _ = schedule.replaceTargets((1...100).map { target($0) }, at: begin)
        let early = started(schedule.turn(at: begin + .milliseconds(500))).count
        #expect(30...70 ~= early)
        #expect(early + started(schedule.turn(at: begin + .seconds(1))).count == 100)
    }

    @Test func probesStartEachInterval() {
        var schedule = ProbeSchedule(seed: 1)
        _ = schedule.replaceTargets([target(1)], at: begin)
        let first = schedule.nextDeadline
        for round in 0..<5 {
            let due = first + .seconds(1) * UInt64(round)
            #expect(schedule.nextDeadline == due)
            #expect(schedule.turn(at: due - .milliseconds(1)).isEmpty)
            let probes = started(schedule.turn(at: due))
            #expect(probes.count == 1)
            #expect(schedule.finish(probes[0].id, .connected, at: due + .milliseconds(3)) != nil)
        }
    }

    @Test func lateProbesAreNotCaughtUpWith() {
        var schedule = ProbeSchedule(seed: 1)
        _ = schedule.replaceTargets([target(1)], at: begin)
        let late = begin + .seconds(60)
        let probes = started(schedule.turn(at: late))
        _ = schedule.finish(probes[0].id, .connected, at: late)
        #expect(schedule.nextDeadline == late + .seconds(1))
    }

    @Test func silentProbeIsGivenUpAndCountsAsFailure() {
        var schedule = ProbeSchedule(seed: 1)
        _ = schedule.replaceTargets([target(1)], at: begin)
        let start = begin + .seconds(1)
        let id = started(schedule.turn(at: start))[0].id
        #expect(schedule.nextDeadline == start + .milliseconds(500))
        let verdict = HealthVerdict(.down, reason: "timed out after 500 ms")
        let observation = HealthObservation(
            backend: target(1).backend, verdict: verdict, result: .timedOut(after: .milliseconds(500)), isChange: true)
        #expect(schedule.turn(at: start + .milliseconds(500)) == [.abandon(id), .report(observation)])
        #expect(schedule.finish(id, .connected, at: start + .milliseconds(501)) == nil)
    }

    @Test func unchangedTargetsKeepTheirVerdictAndOthersDoNot() {
        var schedule = ProbeSchedule(seed: 1)
        _ = schedule.replaceTargets([target(1), target(2), target(3)], at: begin)
        for probe in started(schedule.turn(at: begin + .seconds(1))) {
            _ = schedule.finish(probe.id, .connected, at: begin + .seconds(1))
        }
        let changed = target(2, HealthCheck(interval: .seconds(5)))
        #expect(schedule.replaceTargets([target(1), changed], at: begin + .seconds(1)).isEmpty)
        #expect(schedule.verdict(on: target(1).backend)?.status == .up)
        #expect(schedule.verdict(on: target(2).backend) == nil)
        #expect(schedule.verdict(on: target(3).backend) == nil)
    }

    @Test func probesOfRemovedTargetsAreGivenUp() {
        var schedule = ProbeSchedule(seed: 1)
        _ = schedule.replaceTargets([target(1), target(2)], at: begin)
        let probes = started(schedule.turn(at: begin + .seconds(1)))
        let removed = probes.first { $0.target == target(2) }!
        #expect(schedule.replaceTargets([target(1)], at: begin + .seconds(1)) == [.abandon(removed.id)])
        #expect(schedule.finish(removed.id, .connected, at: begin + .seconds(1)) == nil)
    }

    @Test func onlySoManyRunAtATime() {
        var schedule = ProbeSchedule(seed: 1)
        let count = ProbeSchedule.maximumRunning + 10
        _ = schedule.replaceTargets((1...count).map { target($0) }, at: begin)
        let now = begin + .seconds(1)
        let probes = started(schedule.turn(at: now))
        #expect(probes.count == ProbeSchedule.maximumRunning)
        #expect(schedule.nextDeadline == now + .milliseconds(500))
        _ = schedule.finish(probes[0].id, .connected, at: now)
        #expect(started(schedule.turn(at: now)).count == 1)
    }

    /// Whatever happens, no target has two probes at a time, and each is probed again within its interval.
    @Test(arguments: 0..<20 as Range<UInt64>) func targetsNeverStarve(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var schedule = ProbeSchedule(seed: seed)
        let targets = (1...20).map {
            target($0, HealthCheck(interval: .milliseconds(UInt64(50 * $0)), timeout: .milliseconds(40)))
        }
        var now = begin
        _ = schedule.replaceTargets(targets, at: now)
        var running: [ProbeID: BackendKey] = [:]
        var lastStart = Dictionary(uniqueKeysWithValues: targets.map { ($0.backend, now) })
        for _ in 0..<2000 {
            now = now + .milliseconds(UInt64(random.below(20)))
            for action in schedule.turn(at: now) {
                switch action {
                case .start(let id, let target):
                    #expect(!running.values.contains(target.backend), "seed \(seed)")
                    running[id] = target.backend
                    lastStart[target.backend] = now
                case .abandon(let id): running[id] = nil
                case .report: break
                }
            }
            for id in running.keys.sorted(by: { $0.number < $1.number }) where random.below(3) == 0 {
                let result: ProbeResult = random.below(2) == 0 ? .connected : .failed(ECONNREFUSED)
                #expect(schedule.finish(id, result, at: now) != nil, "seed \(seed)")
                running[id] = nil
            }
            for target in targets {
                let limit = max(target.check.interval, .seconds(1)) + .milliseconds(100)
                #expect(now - lastStart[target.backend]! <= limit, "seed \(seed)")
            }
        }
    }
}
