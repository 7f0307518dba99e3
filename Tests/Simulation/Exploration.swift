import Posix
import Raft

/// Searches every order of events of a small cluster over the real core, breadth first, within a budget of losses,
/// crashes, timeouts and proposals. Each node has time of its own, so no order depends on clocks; what does depend on
/// them, the leases, is for the seeds to test.
package struct Exploration {
    /// What may happen besides deliveries and writes.
    package struct Budget: Hashable, Sendable {
        package var timeouts: Int
        package var proposals: Int
        package var losses: Int
        package var crashes: Int

        package init(timeouts: Int, proposals: Int, losses: Int, crashes: Int) {
            self.timeouts = timeouts
            self.proposals = proposals
            self.losses = losses
            self.crashes = crashes
        }
    }

    package struct Outcome: Sendable {
        /// What was violated, after which events; nil for none.
        package var violation: String?
        package var states = 0
        /// Every state that so many events lead to was seen.
        package var depth = 0
        /// There is no further state within the budget.
        package var isComplete = false
    }

    private let nodes: Int
    private let stateLimit: Int
    private var seen: Set<Int> = []

    package init(nodes: Int, stateLimit: Int) {
        self.nodes = nodes
        self.stateLimit = stateLimit
    }

    package mutating func run(_ budget: Budget) -> Outcome {
        var outcome = Outcome()
        var level = [Path(state: ExploredCluster(nodes: nodes, budget: budget), events: nil)]
        while !level.isEmpty {
            var next: [Path] = []
            for path in level {
                for event in path.state.possibleEvents {
                    var state = path.state
                    state.handle(event)
                    guard seen.insert(state.hashValue).inserted else { continue }
                    let reached = Path(state: state, events: Step(event: event, before: path.events))
                    outcome.states += 1
                    if let violation = state.violation {
                        outcome.violation = "\(violation) after \(reached.events?.all ?? [])"
                        return outcome
                    }
                    if outcome.states >= stateLimit { return outcome }
                    next.append(reached)
                }
            }
            outcome.depth += 1
            level = next
        }
        outcome.isComplete = true
        return outcome
    }

    private struct Path {
        var state: ExploredCluster
        var events: Step?
    }

    /// The events that led to a state, the last one first.
    private final class Step {
        let event: ExploredCluster.Event
        let before: Step?

        init(event: ExploredCluster.Event, before: Step?) {
            self.event = event
            self.before = before
        }

        var all: [ExploredCluster.Event] { (before?.all ?? []) + [event] }
    }
}
