import Gateway
import Posix
import Raft
import Testing

@Suite struct BackendAvailabilityTests {
    private typealias Objection = BackendAvailability.Objection

    private static let down = HealthVerdict(.down, reason: "connect refused")
    private static let up = HealthVerdict(.up, reason: "connected")
    private static let configuration = try! GatewayConfiguration.read(
        Array(
            """
            { listeners: [{ name: "web", port: 80 }], routes: [{ path: "/", upstream: "app" }],
              upstreams: [{ name: "app", backends: [{ address: "10.0.0.1:80" }, { address: "10.0.0.2:80" }] }] }
            """.utf8), file: "test")

    private let first = BackendKey(upstream: "app", address: SocketAddress("10.0.0.1:80")!)
    private let second = BackendKey(upstream: "app", address: SocketAddress("10.0.0.2:80")!)

    /// What the nodes 1, 2 and so on report of both backends.
    private func records(
        _ reports: [(HealthVerdict, HealthVerdict)], first mode: BackendMode = .enabled
    ) -> [BackendKey: BackendRecord] {
        let stamp = WallTime(millisecondsSince1970: 0)
        var state = ClusterState()
        _ = state.apply(
            .applyConfiguration(
                ConfigurationChange(
                    source: "{}", backends: [first, second], virtualAddresses: [], expectedRevision: nil,
                    author: "test", at: stamp)))
        _ = state.apply(.setBackendMode(BackendModeChange(backend: first, mode: mode, author: "test", at: stamp)))
        for (node, report) in zip(UInt64(1)..., reports) {
            let changes = [HealthReportChange.Change(first, report.0), .init(second, report.1)]
            _ = state.apply(.reportHealth(HealthReportChange(node: NodeID(node), changes: changes, at: stamp)))
        }
        return state.backends
    }

    private func availability(
        _ records: [BackendKey: BackendRecord], own: (HealthVerdict, HealthVerdict) = (up, up), hasQuorum: Bool = true
    ) -> BackendAvailability {
        BackendAvailability(
            Self.configuration, records, own: [first: own.0, second: own.1], hasQuorum: hasQuorum)
    }

    @Test func nothingSpeaksAgainstWhatNobodyKnows() {
        let availability = BackendAvailability(Self.configuration, [:], own: [:], hasQuorum: true)
        #expect(availability.usable == [first, second])
    }

    @Test(arguments: [BackendMode.draining, .disabled]) func theOperatorComesFirst(mode: BackendMode) {
        let availability = availability(records([], first: mode), own: (Self.down, Self.down))
        #expect(availability.standing(of: first) == .takesNone(.mode(mode)))
    }

    @Test func whatThisNodeCanNotReachItAvoids() {
        let availability = availability(records([(Self.up, Self.up), (Self.up, Self.up)]), own: (Self.down, Self.up))
        #expect(availability.usable == [second])
        #expect(availability.standing(of: first) == .takesNone(.ownVerdict(Self.down)))
    }

    @Test func whatMostCanNotReachIsAskedOnlyWithAQuorum() {
        let records = records([(Self.up, Self.up), (Self.down, Self.up), (Self.down, Self.up)])
        let objection = Objection.agreedVerdict(Self.down, nodes: 2, of: 3)
        #expect(availability(records).standing(of: first) == .takesNone(objection))
        #expect("\(objection)" == "down, seen from 2 of 3 nodes: connect refused")
        #expect(availability(records, hasQuorum: false).usable == [first, second])
    }

    /// Where nothing is left that this node reaches, those that the others reach are tried; what nobody reaches is not.
    @Test func theOthersAreBelievedBeforeAllIsRefused() {
        let records = records([(Self.down, Self.down), (Self.up, Self.down), (Self.up, Self.down)])
        let cut = availability(records, own: (Self.down, Self.down))
        #expect(cut.usable == [first])
        #expect(cut.standing(of: first) == .lastResort(.ownVerdict(Self.down)))
        #expect(cut.standing(of: second) == .takesNone(.ownVerdict(Self.down)))
        #expect(availability(records, own: (Self.down, Self.down), hasQuorum: false).usable.isEmpty)
        #expect(availability(records, own: (Self.down, Self.up)).usable.isEmpty == false)
    }

    @Test func changesAreToldOnce() {
        let records = records([(Self.up, Self.up), (Self.up, Self.up)])
        let (well, cut) = (availability(records), availability(records, own: (Self.down, Self.up)))
        #expect(well.changes(since: BackendAvailability()).isEmpty)
        #expect(cut.changes(since: well).map(\.backend) == [first])
        #expect(cut.changes(since: cut).isEmpty)
        let other = availability(records, own: (HealthVerdict(.down, reason: "timed out"), Self.up))
        #expect(other.changes(since: cut).isEmpty, "only the reason is another")
        #expect(well.changes(since: other).map(\.standing) == [.takesRequests])
        let all = availability(records, own: (Self.down, Self.down))
        #expect(all.changes(since: cut).map(\.backend) == [first, second], "the first is tried again")
        #expect(BackendAvailability().changes(since: all).isEmpty, "they are not configured any more")
    }
}
