import Gateway
import Posix
import Raft
import Synchronization

/// Decides, while this node leads, how many backends the upstreams ask for, and runs the hook once for each decision.
/// Confined to the control thread.
///
/// A decision and what came of its hook are replicated. A new leader so knows both. Where it finds a decision of a former
/// leader whose hook nobody reported on, it waits for as long as that hook may run, and then runs it: better twice than
/// never, and a hook is told the number of its decision.
final class ScalingKeeper {
    private static let timeout = Nanoseconds.seconds(2)
    private static let interval = Nanoseconds.milliseconds(500)
    /// For a former leader's report on its hook to arrive.
    private static let grace = Nanoseconds.seconds(5)

    /// A hook under way, or one whose end is not yet replicated.
    private struct Duty {
        let upstream: String
        let number: UInt64
        var run: HookRun?
        var result: ScalingHookResult?
    }

    private let node: NodeConfiguration
    private let services: NodeServices
    private let propose: (Command, Nanoseconds, @escaping @Sendable () -> Void) -> Void
    private let pending = PendingNames()
    private var judges: [String: (policy: ScalingPolicy, judge: ScalingJudge)] = [:]
    private var leadsSince: (term: Term, at: Instant)?
    private var duty: Duty?
    private var nextLook = Instant.zero

    init(
        node: NodeConfiguration, services: NodeServices,
        propose: @escaping (Command, Nanoseconds, @escaping @Sendable () -> Void) -> Void
    ) {
        self.node = node
        self.services = services
        self.propose = propose
    }

    /// To be called after every event and from time to time.
    func update() {
        guard let view = services.view.current else { return }
        let now = Instant.now()
        attend(view, at: now)
        guard view.raft.role == .leader, view.raft.hasQuorum else {
            leadsSince = nil
            judges = [:]
            return
        }
        if leadsSince?.term != view.raft.term { leadsSince = (view.raft.term, now) }
        guard now >= nextLook else { return }
        nextLook = now + Self.interval
        decide(view, at: now)
        beginHook(view, at: now)
    }

    private func decide(_ view: ClusterView, at now: Instant) {
        let scaled = (services.serving.configuration?.upstreams ?? []).filter { $0.scaling != nil }
        judges = judges.filter { entry in scaled.contains { $0.name == entry.key } }
        if scaled.isEmpty { return }
        let sources = services.sources(of: view, isStale: true)
        for upstream in scaled {
            guard let policy = upstream.scaling else { continue }
            let record = view.state.scaling.entries[upstream.name]
            var judge =
                judges[upstream.name].flatMap { $0.policy == policy ? $0.judge : nil }
                ?? ScalingJudge(policy, desired: record?.desired, now: now)
            let decided = judge.observe(sources.scalingLoad(of: upstream), desired: record?.desired, at: now)
            judges[upstream.name] = (policy, judge)
            guard let decided, !pending.contains(upstream.name) else { continue }
            Log.info(
                "scaling: upstream \(upstream.name) asks for \(decided) backends",
                [.event("scaling-decided"), .upstream(upstream.name), .backends(decided)])
            submit(
                .decideScaling(
                    ScalingDecision(
                        upstream: upstream.name, desired: decided, replaces: record?.number ?? 0,
                        term: view.raft.term, at: .now())), about: upstream.name)
        }
    }

    private func beginHook(_ view: ClusterView, at now: Instant) {
        guard duty == nil, let hook = node.scalingHook, let leadsSince else { return }
        let configured = services.serving.configuration?.upstreams ?? []
        for (upstream, record) in view.state.scaling.entries.sorted(by: { $0.value.number < $1.value.number })
        where record.hook == nil && configured.contains(where: { $0.name == upstream && $0.scaling != nil }) {
            let mayStillRun = record.term != leadsSince.term && now - leadsSince.at < hook.timeout + Self.grace
            if mayStillRun { continue }
            var begun = Duty(upstream: upstream, number: record.number)
            do throws(SystemError) {
                begun.run = try HookRun(
                    hook.path, [upstream, "\(record.desired)", "\(record.number)"], until: now + hook.timeout)
            } catch {
                begun.result = ScalingHookResult(hasSucceeded: false, text: "\(error)")
                Log.error("scaling: the hook can not be run: \(error)", [.event("scaling-hook-failed")])
            }
            duty = begun
            return
        }
    }

    /// Waits for the hook, and then until the others know of it. Also without leading: the hook was begun here.
    private func attend(_ view: ClusterView, at now: Instant) {
        guard var duty else { return }
        if let run = duty.run, let end = run.poll(at: now) {
            note(end, duty)
            duty.run = nil
            duty.result = ScalingHookResult(hasSucceeded: end.hasSucceeded, text: end.text)
        }
        self.duty = duty
        guard let result = duty.result else { return }
        let record = view.state.scaling.entries[duty.upstream]
        guard record?.number == duty.number, record?.hook == nil else {
            self.duty = nil
            return
        }
        guard view.raft.hasQuorum, view.raft.leader != nil, !pending.contains(duty.upstream) else { return }
        submit(
            .acknowledgeScaling(
                ScalingAcknowledgement(upstream: duty.upstream, number: duty.number, result: result, at: .now())),
            about: duty.upstream)
    }

    private func note(_ end: ScalingHookEnd, _ duty: Duty) {
        let fields: [LogField] = [
            .event(end.hasSucceeded ? "scaling-hook-ended" : "scaling-hook-failed"), .upstream(duty.upstream),
            .reason(end.text),
        ]
        for line in end.output { Log.info("scaling: the hook says: \(line)", [.upstream(duty.upstream)]) }
        if end.hasSucceeded {
            Log.info("scaling: the hook for decision \(duty.number) of upstream \(duty.upstream) is done", fields)
        } else {
            Log.error(
                "scaling: the hook for decision \(duty.number) of upstream \(duty.upstream) failed: \(end.text)", fields
            )
        }
    }

    private func submit(_ command: Command, about upstream: String) {
        pending.insert(upstream)
        let pending = pending
        propose(command, Self.timeout) { pending.remove(upstream) }
    }
}

/// Upstreams with a proposal under way; cleared by whichever thread ends it.
private final class PendingNames: Sendable {
    private let names = Mutex<Set<String>>([])

    func contains(_ name: String) -> Bool { names.withLock { $0.contains(name) } }
    func insert(_ name: String) { _ = names.withLock { $0.insert(name) } }
    func remove(_ name: String) { _ = names.withLock { $0.remove(name) } }
}
