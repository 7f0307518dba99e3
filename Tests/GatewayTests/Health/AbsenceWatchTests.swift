import Gateway
import Posix
import Raft
import Testing

@Suite struct AbsenceWatchTests {
    private let nodes = [NodeID(2), NodeID(3)]
    private let backend = BackendKey(upstream: "app", address: SocketAddress("10.0.0.1:80")!)

    private func state(reportsOf reporters: [NodeID]) -> ClusterState {
        let stamp = WallTime(millisecondsSince1970: 0)
        var state = ClusterState()
        _ = state.apply(
            .applyConfiguration(
                ConfigurationChange(
                    source: "{}", backends: [backend], virtualAddresses: [], expectedRevision: nil, author: "test",
                    at: stamp)))
        for node in reporters {
            let change = HealthReportChange.Change(backend, HealthVerdict(.down, reason: "connect refused"))
            _ = state.apply(.reportHealth(HealthReportChange(node: node, changes: [change], at: stamp)))
        }
        return state
    }

    @Test func aNodeThatIsGoneForLongIsNamedWhileItsReportsAreThere() {
        let start = Instant(nanoseconds: 1_000_000_000)
        var watch = AbsenceWatch()
        watch.look(at: nodes, present: nodes, now: start)
        let late = start + AbsenceWatch.limit + .milliseconds(1)
        watch.look(at: nodes, present: [NodeID(3)], now: late)
        #expect(watch.reporting(in: state(reportsOf: nodes), now: start + AbsenceWatch.limit).isEmpty)
        #expect(watch.reporting(in: state(reportsOf: nodes), now: late) == [NodeID(2)])
        #expect(watch.reporting(in: state(reportsOf: [NodeID(3)]), now: late).isEmpty)
    }

    @Test func aNodeThatWasNeverSeenCountsFromTheFirstLook() {
        let start = Instant(nanoseconds: 1_000_000_000)
        var watch = AbsenceWatch()
        watch.look(at: nodes, present: [], now: start)
        watch.look(at: nodes, present: [], now: start + .seconds(4))
        #expect(watch.reporting(in: state(reportsOf: nodes), now: start + .seconds(4)).isEmpty)
        #expect(watch.reporting(in: state(reportsOf: nodes), now: start + .seconds(6)) == nodes)
    }
}
