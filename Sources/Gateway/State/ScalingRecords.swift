import Posix
import Raft

/// How many backends an upstream asks for, as the cluster has agreed on.
package struct ScalingRecord: Hashable, Sendable {
    package var desired: Int
    /// Rises by one with each decision of the cluster's life, whatever the upstream.
    package var number: UInt64
    /// The term of the leader that decided.
    package var term: Term
    package var at: WallTime
    /// What came of the hook; nil while nobody has said that it has run.
    package var hook: ScalingHookResult?

    package init(desired: Int, number: UInt64, term: Term, at: WallTime, hook: ScalingHookResult? = nil) {
        self.desired = desired
        self.number = number
        self.term = term
        self.at = at
        self.hook = hook
    }
}

package struct ScalingHookResult: Hashable, Sendable {
    package var hasSucceeded: Bool
    /// For people; at most `Command.Limit.reasonBytes`.
    package var text: String

    package init(hasSucceeded: Bool, text: String) {
        self.hasSucceeded = hasSucceeded
        self.text = text.cutOff(atBytes: Command.Limit.reasonBytes)
    }
}

/// By upstream.
package struct ScalingRecords: Hashable, Sendable {
    package internal(set) var entries: [String: ScalingRecord] = [:]
    /// Of the last decision; 0 before the first.
    package internal(set) var number: UInt64 = 0

    package init() {}
}

/// A leader has decided. It counts only if no other decision was made since the one that it knew.
package struct ScalingDecision: Hashable, Sendable {
    package var upstream: String
    package var desired: Int
    /// The number of the decision that this one replaces, 0 for the first.
    package var replaces: UInt64
    package var term: Term
    package var at: WallTime

    package init(upstream: String, desired: Int, replaces: UInt64, term: Term, at: WallTime) {
        self.upstream = upstream
        self.desired = desired
        self.replaces = replaces
        self.term = term
        self.at = at
    }
}

/// The hook has run for a decision.
package struct ScalingAcknowledgement: Hashable, Sendable {
    package var upstream: String
    package var number: UInt64
    package var result: ScalingHookResult
    package var at: WallTime

    package init(upstream: String, number: UInt64, result: ScalingHookResult, at: WallTime) {
        self.upstream = upstream
        self.number = number
        self.result = result
        self.at = at
    }
}

extension ClusterState {
    mutating func apply(_ decision: ScalingDecision) -> Outcome {
        let present = scaling.entries[decision.upstream]
        guard (present?.number ?? 0) == decision.replaces, present?.desired != decision.desired else {
            return .unchanged
        }
        if present == nil, scaling.entries.count == GatewayConfiguration.Limit.upstreams {
            // Of upstreams that are long gone.
            let oldest = scaling.entries.min { $0.value.number < $1.value.number }
            if let oldest { scaling.entries[oldest.key] = nil }
        }
        scaling.number += 1
        scaling.entries[decision.upstream] = ScalingRecord(
            desired: decision.desired, number: scaling.number, term: decision.term, at: decision.at)
        journal.append(
            .scalingDecided(decision.upstream, desired: decision.desired, number: scaling.number), at: decision.at)
        return .applied
    }

    mutating func apply(_ acknowledgement: ScalingAcknowledgement) -> Outcome {
        guard let record = scaling.entries[acknowledgement.upstream], record.number == acknowledgement.number,
            record.hook == nil
        else { return .unchanged }
        scaling.entries[acknowledgement.upstream]?.hook = acknowledgement.result
        journal.append(
            .scalingHookEnded(acknowledgement.upstream, number: record.number, acknowledgement.result),
            at: acknowledgement.at)
        return .applied
    }
}
