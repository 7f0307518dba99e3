import Gateway
import Posix
import Raft
import Testing

@Suite struct HealthReporterTests {
    private let node = NodeID(1)
    private let begin = Instant(nanoseconds: 1_000_000_000_000)
    private let stamp = WallTime(millisecondsSince1970: 0)
    private let one = BackendKey(upstream: "a", address: SocketAddress("10.0.0.1:80")!)
    private let two = BackendKey(upstream: "a", address: SocketAddress("10.0.0.2:80")!)

    private func configuration(health: HealthCheck? = .standard) -> GatewayConfiguration {
        let backends = [Backend(address: one.address), Backend(address: two.address)]
        return GatewayConfiguration(
            listeners: [], routes: [], upstreams: [Upstream(name: "a", backends: backends, health: health)])
    }

    private func state(reports: [HealthReportChange.Change] = []) -> ClusterState {
        var state = ClusterState()
        _ = state.apply(
            .applyConfiguration(
                ConfigurationChange(
                    source: "", configuration: configuration(), expectedRevision: nil, author: "test", at: stamp)))
        _ = state.apply(.reportHealth(HealthReportChange(node: node, changes: reports, at: stamp)))
        return state
    }

    private func reporter() -> HealthReporter {
        var reporter = HealthReporter(node: node)
        reporter.replaceBackends(of: configuration())
        return reporter
    }

    @Test func changesOfAMomentBecomeOneReport() {
        var reporter = reporter()
        let state = state()
        #expect(reporter.report(comparedWith: state, at: begin, stamp: stamp) == nil)
        reporter.observe(HealthVerdict(.down, reason: "status 503"), on: two, at: begin)
        #expect(reporter.nextDeadline == begin + HealthReporter.gathering)
        reporter.observe(HealthVerdict(.up, reason: "connected"), on: one, at: begin + .milliseconds(10))
        #expect(reporter.report(comparedWith: state, at: begin + .milliseconds(10), stamp: stamp) == nil)
        #expect(
            reporter.report(comparedWith: state, at: begin + .milliseconds(30), stamp: stamp)
                == HealthReportChange(
                    node: node,
                    changes: [
                        .init(one, HealthVerdict(.up, reason: "connected")),
                        .init(two, HealthVerdict(.down, reason: "status 503")),
                    ], at: stamp))
    }

    @Test func verdictThatChangesBackIsNotReported() {
        let up = HealthVerdict(.up, reason: "connected")
        var reporter = reporter()
        let state = state(reports: [.init(one, up)])
        reporter.observe(up, on: one, at: begin)
        reporter.observe(HealthVerdict(.down, reason: "status 503"), on: one, at: begin)
        reporter.observe(up, on: one, at: begin + .milliseconds(5))
        #expect(reporter.report(comparedWith: state, at: begin + .seconds(1), stamp: stamp) == nil)
    }

    @Test func anotherReasonOfABackendThatStaysDownIsReported() {
        var reporter = reporter()
        let state = state(reports: [
            .init(one, HealthVerdict(.down, reason: "connect refused")),
            .init(two, HealthVerdict(.up, reason: "status 200")),
        ])
        let expired = HealthVerdict(.down, reason: "its certificate expired on 2026-01-02")
        reporter.observe(expired, on: one, at: begin)
        reporter.observe(HealthVerdict(.up, reason: "status 204"), on: two, at: begin)
        let change = reporter.report(comparedWith: state, at: begin + HealthReporter.gathering, stamp: stamp)
        #expect(change?.changes == [.init(one, expired)])
    }

    @Test func changeIsProposedAgainUntilTheStateShowsIt() {
        let down = HealthVerdict(.down, reason: "status 503")
        var reporter = reporter()
        var now = begin
        reporter.observe(down, on: one, at: now)
        now = now + HealthReporter.gathering
        #expect(reporter.report(comparedWith: state(), at: now, stamp: stamp) != nil)
        #expect(reporter.report(comparedWith: state(), at: now + .milliseconds(999), stamp: stamp) == nil)
        now = now + HealthReporter.patience
        #expect(reporter.report(comparedWith: state(), at: now, stamp: stamp) != nil)
        now = now + HealthReporter.patience
        let applied = state(reports: [.init(one, down)])
        #expect(reporter.report(comparedWith: applied, at: now, stamp: stamp) == nil)
        now = now + HealthReporter.patience * 10
        #expect(reporter.report(comparedWith: applied, at: now, stamp: stamp) == nil)
    }

    @Test func reportThatOthersRemovedIsMadeAgain() {
        let up = HealthVerdict(.up, reason: "connected")
        var reporter = reporter()
        reporter.observe(up, on: one, at: begin)
        #expect(
            reporter.report(comparedWith: state(reports: [.init(one, up)]), at: begin + .seconds(1), stamp: stamp)
                == nil)
        let change = reporter.report(
            comparedWith: state(), at: begin + .seconds(1) + HealthReporter.sweepInterval, stamp: stamp)
        #expect(change?.changes == [.init(one, up)])
    }

    @Test func reportFromBeforeARestartStandsUntilThereIsAVerdict() {
        var reporter = reporter()
        let state = state(reports: [.init(one, HealthVerdict(.down, reason: "status 503"))])
        #expect(reporter.report(comparedWith: state, at: begin, stamp: stamp) == nil)
    }

    @Test func reportsOnBackendsThatAreNoLongerCheckedAreWithdrawn() {
        var reporter = reporter()
        let state = state(reports: [.init(one, HealthVerdict(.down, reason: "status 503"))])
        reporter.replaceBackends(of: configuration(health: nil))
        let change = reporter.report(comparedWith: state, at: begin, stamp: stamp)
        #expect(change?.changes == [.init(one, .unknown)])
        reporter.observe(HealthVerdict(.down, reason: "late"), on: one, at: begin)
        #expect(reporter.nextDeadline > begin + HealthReporter.gathering)
    }
}
