import Gateway
import Posix
import Raft
import Testing

@Suite struct ScalingStateTests {
    private let stamp = WallTime(millisecondsSince1970: 1_700_000_000_000)

    private func decision(_ desired: Int, of upstream: String = "app", replaces: UInt64) -> Command {
        .decideScaling(
            ScalingDecision(upstream: upstream, desired: desired, replaces: replaces, term: Term(3), at: stamp))
    }

    private func done(_ number: UInt64, _ upstream: String = "app") -> Command {
        .acknowledgeScaling(
            ScalingAcknowledgement(
                upstream: upstream, number: number, result: ScalingHookResult(hasSucceeded: true, text: "done"),
                at: stamp))
    }

    @Test func aDecisionCountsOnceAndOnlyAfterTheOneThatItKnew() {
        var state = ClusterState()
        #expect(state.apply(decision(5, replaces: 0)) == .applied)
        // Of a former leader, or proposed twice.
        #expect(state.apply(decision(7, replaces: 0)) == .unchanged)
        #expect(state.apply(decision(5, replaces: 1)) == .unchanged)
        #expect(state.apply(decision(2, of: "other", replaces: 0)) == .applied)
        #expect(state.apply(decision(6, replaces: 1)) == .applied)
        #expect(state.scaling.entries["app"] == ScalingRecord(desired: 6, number: 3, term: Term(3), at: stamp))
        #expect(state.journal.entries.map(\.event.kind) == Array(repeating: "scaling-decided", count: 3))
    }

    @Test func anAcknowledgementIsOfOneDecision() {
        var state = ClusterState()
        #expect(state.apply(done(1)) == .unchanged)
        _ = state.apply(decision(5, replaces: 0))
        #expect(state.apply(done(1, "other")) == .unchanged)
        #expect(state.apply(done(1)) == .applied)
        #expect(state.apply(done(1)) == .unchanged)
        #expect(state.scaling.entries["app"]?.hook?.text == "done")
        _ = state.apply(decision(6, replaces: 1))
        #expect(state.scaling.entries["app"]?.hook == nil)
        #expect(state.apply(done(1)) == .unchanged)
    }

    @Test func stateAndCommandsSurviveTheirCoding() throws {
        var state = ClusterState()
        for command in [decision(5, replaces: 0), done(1), decision(0, of: "other", replaces: 0)] {
            #expect(try Command(decoding: command.encoded()) == command)
            _ = state.apply(command)
        }
        #expect(try ClusterState(decoding: state.encoded()) == state)
    }

    @Test func upstreamsThatAreLongGoneMakeRoom() {
        var state = ClusterState()
        for number in 0...GatewayConfiguration.Limit.upstreams {
            _ = state.apply(decision(1, of: "u\(number)", replaces: 0))
        }
        #expect(state.scaling.entries.count == GatewayConfiguration.Limit.upstreams)
        #expect(state.scaling.entries["u0"] == nil && state.scaling.entries["u1"] != nil)
    }
}
