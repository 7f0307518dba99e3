import Posix

/// Decides what the process does that another one is to replace: events in, actions out.
///
/// Up to `suspend` nothing has changed, and whatever goes wrong ends the new process and nothing else. After it the
/// former process does not run consensus any more; a new process that fails then is replaced by one of the former
/// program, which gets the same. That may go on with the lease only as long as no other process has begun to.
package struct UpgradeSequence: Hashable, Sendable {
    package enum Candidate: Hashable, Sendable {
        case new
        /// A process of the program that has run so far.
        case former
    }

    package enum Event: Hashable, Sendable {
        case started
        case notStarted(String)
        /// It has read its configuration and is ready to take over.
        case prepared(version: String)
        case refused(String)
        /// The cluster waits for this node as long as it takes, or does not have to.
        case granted
        case notGranted(String)
        case suspended
        /// Consensus could not be brought to its end; the node is about to stop.
        case broken(String)
        /// It runs consensus from now on.
        case begins
        case serves
        /// It has served for a while.
        case proven
        case ended
        /// `deadline` has passed.
        case timeIsOver
    }

    package enum Action: Hashable, Sendable {
        case start(Candidate)
        case askForTime
        case suspend
        /// `continuing`: from where this process was suspended.
        case give(continuing: Bool)
        case handOver
        case kill
        case conclude(Outcome)
    }

    package enum Outcome: Hashable, Sendable {
        case upgraded(version: String)
        /// Everything is as it was.
        case kept(because: String)
        /// A new process of the former program has taken over.
        case restored(because: String)
        /// No process serves as a member of the cluster.
        case failed(because: String)
    }

    private enum Stage: Hashable, Sendable {
        case starting, preparing, asking, suspending, switching, proving, over

        /// What the candidate did not do in time.
        var description: String {
            switch self {
            case .starting, .preparing: "get ready"
            case .asking, .suspending, .over: "go on"
            case .switching: "serve as a member of the cluster"
            case .proving: "prove itself"
            }
        }
    }

    package enum Limit {
        /// From its start until it is ready.
        package static let preparing = Nanoseconds.seconds(8)
        package static let switching = Nanoseconds.seconds(5)
        /// Twice what it serves before it says that it is proven.
        package static let proving = Nanoseconds.seconds(4)
    }

    private var stage = Stage.starting
    private var candidate = Candidate.new
    private var version = ""
    /// This process has been suspended.
    private var isSuspended = false
    /// Another process has run consensus since.
    private var hasBegun = false
    private var reason = ""
    /// When `timeIsOver` is due.
    package private(set) var deadline = Instant.distantFuture

    package init() {}

    package var isOver: Bool { stage == .over }

    /// The first actions.
    package mutating func begin() -> [Action] { [.start(.new)] }

    package mutating func take(_ event: Event, at now: Instant) -> [Action] {
        switch (stage, event) {
        case (.over, _): return []
        case (_, .refused(let why)), (_, .notStarted(let why)), (_, .notGranted(let why)): return fail(why)
        case (_, .broken(let why)):
            stage = .over
            return [.kill, .conclude(.failed(because: why))]
        case (_, .ended): return fail("it ended")
        case (_, .timeIsOver): return fail("it did not \(stage.description) in time")
        case (.starting, .started): return enter(.preparing, until: now + Limit.preparing, [])
        case (.preparing, .prepared(let version)):
            if isSuspended {
                return enter(.switching, until: now + Limit.switching, [.give(continuing: !hasBegun)])
            }
            self.version = version
            return enter(.asking, [.askForTime])
        case (.asking, .granted): return enter(.suspending, [.suspend])
        case (.suspending, .suspended):
            isSuspended = true
            return enter(.switching, until: now + Limit.switching, [.give(continuing: true)])
        case (.switching, .begins):
            hasBegun = true
            return []
        case (.switching, .serves): return enter(.proving, until: now + Limit.proving, [.handOver])
        case (.proving, .proven):
            let outcome = candidate == .new ? Outcome.upgraded(version: version) : .restored(because: reason)
            return enter(.over, [.conclude(outcome)])
        case (.starting, _), (.preparing, _), (.asking, _), (.suspending, _), (.switching, _), (.proving, _):
            return fail("it said something out of place")
        }
    }

    private mutating func enter(
        _ next: Stage, until deadline: Instant = .distantFuture, _ actions: [Action]
    ) -> [Action] {
        stage = next
        self.deadline = deadline
        return actions
    }

    private mutating func fail(_ why: String) -> [Action] {
        guard isSuspended else { return enter(.over, [.kill, .conclude(.kept(because: why))]) }
        guard candidate == .new else {
            return enter(.over, [.kill, .conclude(.failed(because: "\(reason); then the former program: \(why)"))])
        }
        reason = why
        candidate = .former
        return enter(.starting, [.kill, .start(.former)])
    }
}
