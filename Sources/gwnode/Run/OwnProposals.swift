import Gateway
import Glibc
import Posix
import Raft
import Synchronization
import TLS

/// What this node tells the cluster of its own accord: its verdicts, who it is, that it leads, that it holds the
/// virtual addresses, and the first configuration. Confined to the control thread.
///
/// Each kind has at most one proposal under way. What is to be said is found anew from the view each time, so a lost
/// proposal is made again and one that arrived is not.
final class OwnProposals {
    enum Kind: Int, CaseIterable, Sendable {
        case member, leader, virtualAddresses, seed, forget, expire, ticketKey
    }

    private static let timeout = Nanoseconds.seconds(2)
    private static let reportInterval = Nanoseconds.milliseconds(100)

    /// What of a node's report the others have to know at once.
    private struct ReportedNews: Hashable {
        var role: Role
        var term: Term
        var heldAddresses: [IPAddress]
    }

    private let node: NodeConfiguration
    private let view: SharedClusterView
    private let serving: Serving
    private let seed: SeedConfiguration?
    private let propose: (Command, Nanoseconds, @escaping @Sendable () -> Void) -> Void
    private let takeSample: () -> LiveSample?
    private let publishInfo: ([UInt8]) -> Void
    /// The kinds with a proposal under way.
    private let pending = PendingKinds()
    private var reporter: HealthReporter
    private var reportedNews: ReportedNews?
    private var nextReport = Instant.zero
    private var absences = AbsenceWatch()
    private var leases = RegistrationLeases()
    private let renewals: SharedRenewals

    init(
        node: NodeConfiguration, view: SharedClusterView, serving: Serving, seed: SeedConfiguration?,
        renewals: SharedRenewals, propose: @escaping (Command, Nanoseconds, @escaping @Sendable () -> Void) -> Void,
        takeSample: @escaping () -> LiveSample?, publishInfo: @escaping ([UInt8]) -> Void
    ) {
        self.node = node
        self.view = view
        self.serving = serving
        self.seed = seed
        self.renewals = renewals
        self.propose = propose
        self.takeSample = takeSample
        self.publishInfo = publishInfo
        reporter = HealthReporter(node: node.node.id)
    }

    /// When `update` must be called again at the latest.
    var nextDeadline: Instant { reporter.nextDeadline }

    func replaceBackends(of configuration: GatewayConfiguration) { reporter.replaceBackends(of: configuration) }

    func observe(_ verdict: HealthVerdict, on backend: BackendKey) {
        reporter.observe(verdict, on: backend, at: .now())
    }

    /// To be called after every event and from time to time.
    func update() {
        guard let view = view.current else { return }
        publishReport(view, at: .now())
        let others = MemberDirectory(of: view, node).members.map(\.id).filter { $0 != node.node.id }
        absences.look(at: others, present: view.connected, now: .now())
        countLeases(view, at: .now())
        guard view.raft.hasQuorum, view.raft.leader != nil else { return }
        for kind in Kind.allCases where !pending.contains(kind) {
            guard let command = command(kind, view) else { continue }
            pending.insert(kind)
            let pending = pending
            propose(command, OwnProposals.timeout) { pending.remove(kind) }
        }
        // The reporter itself waits for an answer before it says the same again.
        if let report = reporter.report(comparedWith: view.state, at: .now(), stamp: .now()) {
            propose(.reportHealth(report), OwnProposals.timeout) {}
        }
    }

    /// At once when others have to know, else from time to time.
    private func publishReport(_ view: ClusterView, at now: Instant) {
        let news = ReportedNews(role: view.raft.role, term: view.raft.term, heldAddresses: view.heldAddresses)
        guard news != reportedNews || now >= nextReport else { return }
        reportedNews = news
        nextReport = now + OwnProposals.reportInterval
        let report = NodeReport(
            of: view, serving: serving, renewals: renewals.serials(at: now), sample: takeSample())
        publishInfo(report.encoded())
    }

    private func command(_ kind: Kind, _ view: ClusterView) -> Command? {
        let isLeader = view.raft.role == .leader
        switch kind {
        case .member: return describeMember(view)
        case .leader: return isLeader ? leaderElected(view) : nil
        case .virtualAddresses: return virtualAddressesMoved(view)
        case .seed: return isLeader && view.state.configuration == nil ? seed?.command : nil
        case .expire: return isLeader ? expireRegistrations() : nil
        case .ticketKey: return isLeader ? rotateTicketKeys(view) : nil
        case .forget: return isLeader ? forgetReportsOfTheAbsent(view) : nil
        }
    }

    private func describeMember(_ view: ClusterView) -> Command? {
        guard let peer = node.ownPeer, view.state.aims[node.node.id] != .removed else { return nil }
        let record = MemberRecord(
            id: node.node.id, name: node.node.name, raft: peer.raft.description, admin: peer.admin.description,
            version: gwnodeVersion)
        return view.state.members[record.id] == record ? nil : .describeMember(record, at: .now())
    }

    private func leaderElected(_ view: ClusterView) -> Command? {
        let known = view.state.leader?.term ?? .zero
        guard known < view.raft.term else { return nil }
        return .leaderElected(LeaderRecord(node: node.node.id, term: view.raft.term, at: .now()))
    }

    private func virtualAddressesMoved(_ view: ClusterView) -> Command? {
        guard view.raft.role == .leader else { return nil }
        let holder = view.heldAddresses.isEmpty ? nil : node.node.id
        let known = view.state.virtualAddressHolder
        if holder == nil && known?.term != view.raft.term { return nil }
        guard known?.holder != holder || known?.term != view.raft.term else { return nil }
        return .virtualAddressesMoved(VirtualAddressRecord(holder: holder, term: view.raft.term, at: .now()))
    }

    private func countLeases(_ view: ClusterView, at now: Instant) {
        guard view.raft.role == .leader else { return leases.follow() }
        // The last report of a node that died would renew for ever.
        let fresh = view.sightings.values.lazy.filter { now - $0.at <= RecentRenewals.span }
        let heard = fresh.flatMap(\.report.renewals) + renewals.serials(at: now)
        leases.lead(in: view.raft.term, view.state.registrations, renewed: heard, now: now)
    }

    private func expireRegistrations() -> Command? {
        let expired = leases.expired(at: .now())
        return expired.isEmpty ? nil : .expireRegistrations(expired, at: .now())
    }

    /// Only where clients speak TLS.
    private func rotateTicketKeys(_ view: ClusterView) -> Command? {
        guard view.state.ticketKeys.isDue(at: .now()),
            serving.configuration?.listeners.contains(where: { $0.tls != nil }) == true
        else { return nil }
        return .rotateTicketKeys(TicketKeyring.Entry(key: .random(), at: .now()))
    }

    private func forgetReportsOfTheAbsent(_ view: ClusterView) -> Command? {
        let absent = absences.reporting(in: view.state, now: .now())
        return absent.isEmpty ? nil : .forgetReports(of: absent, at: .now())
    }
}

/// Written by the control thread, cleared by whichever thread ends a proposal.
private final class PendingKinds: Sendable {
    private let kinds = Mutex<Set<OwnProposals.Kind>>([])

    func contains(_ kind: OwnProposals.Kind) -> Bool { kinds.withLock { $0.contains(kind) } }
    func insert(_ kind: OwnProposals.Kind) { _ = kinds.withLock { $0.insert(kind) } }
    func remove(_ kind: OwnProposals.Kind) { _ = kinds.withLock { $0.remove(kind) } }
}
