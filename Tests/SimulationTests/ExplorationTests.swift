import Glibc
import Simulation
import Testing

@Suite struct ExplorationTests {
    /// As many as the environment's `GWNODE_STATES` says; fewer by default where the build is slow.
    private static var states: Int {
        getenv("GWNODE_STATES").flatMap { Int(String(cString: $0)) } ?? (_isDebugAssertConfiguration() ? 3000 : 60_000)
    }

    /// Three nodes, one election timeout, one proposal: every order there is.
    @Test(.enabled(if: !_isDebugAssertConfiguration(), "some 180,000 states: an optimised build only"))
    func oneElectionAndOneProposalOfThreeNodesIsSafeInEveryOrder() {
        var exploration = Exploration(nodes: 3, stateLimit: 250_000)
        let outcome = exploration.run(.init(timeouts: 1, proposals: 1, losses: 0, crashes: 0))
        #expect(outcome.violation == nil && outcome.isComplete)
    }

    @Test(arguments: [
        Exploration.Budget(timeouts: 2, proposals: 1, losses: 0, crashes: 1),
        Exploration.Budget(timeouts: 2, proposals: 1, losses: 1, crashes: 0),
        Exploration.Budget(timeouts: 3, proposals: 0, losses: 0, crashes: 1),
    ])
    func everyOrderOfEventsIsSafe(budget: Exploration.Budget) {
        for nodes in [2, 3] {
            var exploration = Exploration(nodes: nodes, stateLimit: Self.states)
            let outcome = exploration.run(budget)
            #expect(outcome.violation == nil)
            #expect(outcome.isComplete || outcome.states == Self.states)
            let extent = outcome.isComplete ? "all" : "complete to depth \(outcome.depth)"
            print("\(nodes) nodes, \(budget): \(outcome.states) states, \(extent)")
        }
    }
}
