import Gateway
import Posix
import Raft
import Testing

private let stamp = WallTime(millisecondsSince1970: 1_000)
private let later = WallTime(millisecondsSince1970: 2_000)

private func key(_ number: Int, upstream: String = "a") -> BackendKey {
    BackendKey(upstream: upstream, address: SocketAddress("10.0.0.\(number):80")!)
}

private func configure(
    _ source: String = "{}", backends: [BackendKey] = [key(1), key(2)], expected: Revision? = nil
) -> Command {
    .applyConfiguration(
        ConfigurationChange(
            source: source, backends: backends, virtualAddresses: [IPAddress("192.0.2.1")!],
            expectedRevision: expected, author: "eva", at: stamp))
}

private func report(_ node: UInt64, _ backend: BackendKey, _ status: HealthStatus, _ reason: String = "") -> Command {
    let change = HealthReportChange.Change(backend, HealthVerdict(status, reason: reason))
    return .reportHealth(HealthReportChange(node: NodeID(node), changes: [change], at: stamp))
}

private func setMode(_ backend: BackendKey, _ mode: BackendMode) -> Command {
    .setBackendMode(BackendModeChange(backend: backend, mode: mode, author: "eva", at: stamp))
}

private func configured() -> ClusterState {
    var state = ClusterState()
    _ = state.apply(configure())
    return state
}

@Suite struct ClusterStateConfigurationTests {
    @Test func revisionsRiseFromOne() {
        var state = ClusterState()
        #expect(state.revision == .none)
        #expect(state.apply(configure("one")) == .configured(Revision(1)))
        #expect(state.apply(configure("two")) == .configured(Revision(2)))
        #expect(state.configuration?.source == "two")
        #expect(state.configuration(at: Revision(1))?.source == "one")
        #expect(state.configuration(at: Revision(3)) == nil)
    }

    @Test func staleChangeIsRefusedAndChangesNothing() {
        var state = configured()
        let before = state
        #expect(
            state.apply(configure("late", expected: Revision.none))
                == .refused(.revisionConflict(expected: .none, current: Revision(1))))
        #expect(state == before)
        #expect(state.apply(configure("right", expected: Revision(1))) == .configured(Revision(2)))
    }

    @Test func keptBackendsKeepWhatIsKnownOfThem() {
        var state = configured()
        _ = state.apply(setMode(key(1), .draining))
        _ = state.apply(report(1, key(1), .down, "status 503"))
        _ = state.apply(configure(backends: [key(1), key(3)]))
        #expect(state.backends[key(1)]?.mode == .draining)
        #expect(state.backends[key(1)]?.agreedVerdict == HealthVerdict(.down, reason: "status 503"))
        #expect(state.backends[key(2)] == nil)
        #expect(state.backends[key(3)] == BackendRecord())
    }

    @Test func historyIsBoundedInNumberAndBytes() {
        var state = ClusterState()
        for number in 1...30 { _ = state.apply(configure("\(number)")) }
        #expect(state.history.map(\.source) == (10...29).map { "\($0)" })
        let large = String(repeating: "x", count: Command.Limit.sourceBytes)
        for _ in 1...6 { _ = state.apply(configure(large)) }
        #expect(state.history.count == 4)
        #expect(state.configuration?.source == large)
    }
}

@Suite struct ClusterStateHealthTests {
    /// The reports of nodes 1, 2 and so on: `u`p, `d`own, `.` none; and what is agreed.
    @Test(arguments: [
        ("", HealthStatus.unknown), ("...", .unknown), ("u", .up), ("d", .down), ("ud", .up), ("dd", .down),
        ("d..", .down), ("dd.", .down), ("ud.", .up), ("udd", .down), ("uud", .up), ("uudd", .up), ("uuddd", .down),
        ("ddddd", .down),
    ])
    func agreedVerdictIsThatOfTheMajorityOfReporters(reports: String, agreed: HealthStatus) {
        var state = configured()
        for (node, status) in zip(UInt64(1)..., reports) where status != "." {
            _ = state.apply(report(node, key(1), status == "u" ? .up : .down))
        }
        #expect(state.backends[key(1)]?.agreedVerdict.status == agreed)
    }

    @Test func reportsAreReplacedAndWithdrawn() {
        var state = configured()
        #expect(state.apply(report(2, key(1), .down, "connect refused")) == .applied)
        #expect(state.apply(report(2, key(1), .down, "connect refused")) == .unchanged)
        #expect(state.apply(report(1, key(1), .up, "connected")) == .applied)
        #expect(state.backends[key(1)]?.reports.map(\.node) == [NodeID(1), NodeID(2)])
        #expect(state.apply(report(2, key(1), .unknown)) == .applied)
        #expect(state.backends[key(1)]?.verdict(of: NodeID(2)) == nil)
        #expect(state.apply(report(2, key(1), .unknown)) == .unchanged)
    }

    @Test func reportOnAnUnknownBackendIsLeftOut() {
        var state = configured()
        let before = state
        #expect(state.apply(report(1, key(9), .down)) == .unchanged)
        #expect(state == before)
    }

    @Test func journalTellsOnlyOfAgreedChanges() {
        var state = configured()
        let before = state.journal.entries.count
        _ = state.apply(report(1, key(1), .up, "connected"))
        _ = state.apply(report(2, key(1), .up, "connected"))
        _ = state.apply(report(3, key(1), .down, "connect refused"))
        _ = state.apply(report(2, key(1), .down, "timed out after 500 ms"))
        let events = state.journal.entries.dropFirst(before).map(\.event)
        #expect(
            events == [
                .backendHealthChanged(key(1), HealthVerdict(.up, reason: "connected")),
                .backendHealthChanged(key(1), HealthVerdict(.down, reason: "timed out after 500 ms")),
            ])
    }

    @Test func reportsOfLostNodesAreForgotten() {
        var state = configured()
        _ = state.apply(report(1, key(1), .up))
        _ = state.apply(report(2, key(1), .down))
        _ = state.apply(report(3, key(1), .down))
        #expect(state.apply(.forgetReports(of: [NodeID(2), NodeID(3)], at: stamp)) == .applied)
        #expect(state.backends[key(1)]?.agreedVerdict.status == .up)
        #expect(state.apply(.forgetReports(of: [NodeID(2)], at: stamp)) == .unchanged)
    }
}

@Suite struct ClusterStateRecordTests {
    @Test func modeOfAnUnknownBackendIsRefusedWithTheReason() {
        var state = configured()
        let before = state
        #expect(state.apply(setMode(key(9), .disabled)) == .refused(.unknownBackend(key(9))))
        #expect(
            state.apply(setMode(key(1, upstream: "b"), .disabled)) == .refused(.unknownUpstream("b")))
        #expect(state == before)
        #expect(Refusal.unknownBackend(key(9)).description == "upstream a has no backend 10.0.0.9:80")
    }

    @Test func modeIsSetOnce() {
        var state = configured()
        #expect(state.apply(setMode(key(1), .enabled)) == .unchanged)
        #expect(state.apply(setMode(key(1), .draining)) == .applied)
        #expect(state.journal.entries.last?.event == .backendModeChanged(key(1), .draining, author: "eva"))
    }

    @Test func leadersOfOldTermsAreRefused() {
        var state = ClusterState()
        func elected(_ node: UInt64, _ term: UInt64) -> Command {
            .leaderElected(LeaderRecord(node: NodeID(node), term: Term(term), at: stamp))
        }
        #expect(state.apply(elected(1, 5)) == .applied)
        #expect(state.apply(elected(1, 5)) == .unchanged)
        #expect(state.apply(elected(2, 4)) == .refused(.staleTerm(Term(4), current: Term(5))))
        #expect(state.leader?.node == NodeID(1))
    }

    @Test func releaseIsFinalInItsTerm() {
        var state = ClusterState()
        func moved(_ holder: UInt64?, _ term: UInt64) -> Command {
            .virtualAddressesMoved(VirtualAddressRecord(holder: holder.map(NodeID.init), term: Term(term), at: stamp))
        }
        #expect(state.apply(moved(1, 5)) == .applied)
        #expect(state.apply(moved(nil, 5)) == .applied)
        #expect(state.apply(moved(1, 5)) == .unchanged)
        #expect(state.virtualAddressHolder?.holder == nil)
        #expect(state.apply(moved(2, 6)) == .applied)
        #expect(state.apply(moved(nil, 5)) == .refused(.staleTerm(Term(5), current: Term(6))))
        #expect(state.virtualAddressHolder?.holder == NodeID(2))
    }

    @Test func membersAreBounded() {
        var state = ClusterState()
        func describe(_ number: Int) -> Command {
            let record = MemberRecord(
                id: NodeID(UInt64(number)), name: "gw\(number)", raft: "", admin: "", version: "1.0")
            return .describeMember(record, at: stamp)
        }
        for number in 1...ClusterState.Limit.members { #expect(state.apply(describe(number)) == .applied) }
        #expect(state.apply(describe(1)) == .unchanged)
        #expect(
            state.apply(describe(1000)) == .refused(.tooMany(what: "members", limit: ClusterState.Limit.members)))
    }

    @Test func journalIsBoundedAndItsNumbersGoOn() {
        var state = configured()
        for round in 1...300 { _ = state.apply(setMode(key(1), round.isMultiple(of: 2) ? .enabled : .draining)) }
        #expect(state.journal.entries.count == ClusterState.Limit.journal)
        #expect(state.journal.entries.last?.sequence == 301)
        #expect(state.journal.nextSequence == 302)
    }
}
