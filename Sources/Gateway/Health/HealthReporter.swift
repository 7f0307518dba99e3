import Posix
import Raft

/// Compares a node's own verdicts with what the replicated state says of them, and says which changes to propose.
///
/// Changes are gathered for a moment, so that many at once become one command, and proposed again until the state
/// shows them. A verdict that changes back in between is never proposed.
package struct HealthReporter: Sendable {
    /// Changes that fall into this time become one command.
    package static let gathering = Nanoseconds.milliseconds(20)
    /// A change that the state does not show after this time is proposed again.
    package static let patience = Nanoseconds.seconds(1)
    /// All verdicts are compared this often, since others change the state too.
    package static let sweepInterval = Nanoseconds.seconds(2)
    /// Changes in one command; the rest goes into the next.
    package static let maximumChanges = 1_000

    package let node: NodeID
    /// A backend that is checked but has no verdict yet is absent, so that the report from before a restart stands.
    private var own: [BackendKey: HealthVerdict] = [:]
    private var checked: Set<BackendKey> = []
    /// When to look at a backend whose verdict may differ from the state.
    private var pending: [BackendKey: Instant] = [:]
    private var nextSweep = Instant.zero

    package init(node: NodeID) { self.node = node }

    /// When `report` wants to be called next.
    package var nextDeadline: Instant { pending.values.reduce(nextSweep) { min($0, $1) } }

    /// The backends of a new configuration. Verdicts on those that are still checked stay.
    package mutating func replaceBackends(of configuration: GatewayConfiguration) {
        checked = Set(configuration.probeTargets().map(\.backend))
        let before = own
        own = [:]
        for backend in configuration.backendKeys {
            own[backend] = checked.contains(backend) ? before[backend] : .unknown
        }
        pending = pending.filter { own[$0.key] != nil }
        nextSweep = .zero
    }

    /// The node came to a verdict. One on a backend that is no longer checked comes too late and is left out.
    package mutating func observe(_ verdict: HealthVerdict, on backend: BackendKey, at now: Instant) {
        if own[backend].map({ verdict.saysTheSame(as: $0) }) == true || !checked.contains(backend) { return }
        own[backend] = verdict
        pending[backend] = now + HealthReporter.gathering
    }

    /// The changes to propose now; nil for none.
    package mutating func report(
        comparedWith state: ClusterState, at now: Instant, stamp: WallTime
    ) -> HealthReportChange? {
        if nextSweep <= now {
            nextSweep = now + HealthReporter.sweepInterval
            for backend in own.keys where pending[backend] == nil && differs(backend, from: state) {
                pending[backend] = now
            }
        }
        let due = pending.filter { $0.value <= now }.keys.sorted()
        var changes: [HealthReportChange.Change] = []
        for backend in due {
            guard let verdict = own[backend], differs(backend, from: state) else {
                pending[backend] = nil
                continue
            }
            if changes.count == HealthReporter.maximumChanges { break }
            changes.append(HealthReportChange.Change(backend, verdict))
            pending[backend] = now + HealthReporter.patience
        }
        return changes.isEmpty ? nil : HealthReportChange(node: node, changes: changes, at: stamp)
    }

    private func differs(_ backend: BackendKey, from state: ClusterState) -> Bool {
        guard let verdict = own[backend], let record = state.backends[backend] else { return false }
        return !verdict.saysTheSame(as: record.verdict(of: node) ?? .unknown)
    }
}

extension HealthVerdict {
    /// Only of a backend that is down others want to know why.
    fileprivate func saysTheSame(as other: HealthVerdict) -> Bool {
        status == other.status && (status != .down || reason == other.reason)
    }
}
