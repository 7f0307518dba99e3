import Posix
import Raft

/// Everything that one node knows of the cluster at one moment, and the status document made of it.
package struct StatusSources: Sendable {
    /// What this node itself sees of a backend.
    package struct LocalBackend: Hashable, Sendable {
        /// Of this node's own checks.
        package var verdict: HealthVerdict
        /// Set while traffic itself has shown that the backend fails, with how.
        package var avoidance: BackendAvoidance?

        package init(verdict: HealthVerdict, avoidance: BackendAvoidance? = nil) {
            self.verdict = verdict
            self.avoidance = avoidance
        }
    }

    /// What another node said last, and when it was heard.
    package struct Sighting: Hashable, Sendable {
        package var report: NodeReport
        package var at: Instant
        /// The newest, which need not be in the newest report.
        package var sample: LiveSample?
        package var sampledAt: Instant

        /// `earlier` is what was known of the node before this report.
        package init(report: NodeReport, at: Instant, after earlier: Sighting? = nil) {
            self.report = report
            self.at = at
            sample = report.sample ?? earlier?.sample
            sampledAt = report.sample == nil ? earlier?.sampledAt ?? .zero : at
        }
    }

    /// A node that was not heard of for so long is shown as dead.
    package static let silenceLimit = Nanoseconds.seconds(1)

    package var cluster: String
    package var now: Instant
    package var node: NodeID
    package var directory: MemberDirectory
    package var leader: NodeID?
    package var hasQuorum: Bool
    package var isStale: Bool
    package var ownReport: NodeReport
    package var ownSample: LiveSample?
    package var sightings: [NodeID: Sighting]
    /// The nodes to which this one has an open connection: a process that ended is known at once by its absence.
    package var connected: [NodeID]
    package var state: ClusterState
    /// What `state.configuration` says, parsed; nil while there is none.
    package var configuration: GatewayConfiguration?
    package var localBackends: [BackendKey: LocalBackend]

    package init(
        cluster: String, now: Instant, node: NodeID, directory: MemberDirectory, leader: NodeID?,
        hasQuorum: Bool, isStale: Bool, ownReport: NodeReport, ownSample: LiveSample? = nil,
        sightings: [NodeID: Sighting], connected: [NodeID],
        state: ClusterState, configuration: GatewayConfiguration?, localBackends: [BackendKey: LocalBackend]
    ) {
        self.cluster = cluster
        self.now = now
        self.node = node
        self.directory = directory
        self.leader = leader
        self.hasQuorum = hasQuorum
        self.isStale = isStale
        self.ownReport = ownReport
        self.ownSample = ownSample
        self.sightings = sightings
        self.connected = connected
        self.state = state
        self.configuration = configuration
        self.localBackends = localBackends
    }

    package func document() -> StatusDocument {
        StatusDocument(
            cluster: cluster, term: ownReport.term.number, leader: leader?.number, quorum: hasQuorum,
            stale: isStale, revision: state.revision.number,
            virtualAddresses: (configuration?.virtualAddresses ?? []).map { address in
                StatusDocument.VirtualAddress(address: address.description, holder: holder(of: address)?.number)
            },
            nodes: directory.members.map(describe),
            upstreams: (configuration?.upstreams ?? []).map { upstream in
                StatusDocument.Upstream(
                    name: upstream.name, algorithm: upstream.algorithm.rawValue,
                    backends: upstream.backends.map { describe($0, of: upstream.name) }, queue: queue(of: upstream),
                    scaling: scalingDocument(of: upstream))
            })
    }

    var aliveReports: [(node: NodeID, report: NodeReport)] {
        directory.members.compactMap { member in aliveReport(of: member.id).map { (member.id, $0) } }
    }

    func isAlive(_ id: NodeID) -> Bool { aliveReport(of: id) != nil }

    private func aliveReport(of id: NodeID) -> NodeReport? {
        if id == node { return ownReport }
        guard connected.contains(id), let sighting = sightings[id] else { return nil }
        guard now - sighting.at < Self.silenceLimit else { return nil }
        return sighting.report
    }

    /// After a move, the former holder's last report may still be about: the later term is right.
    private func holder(of address: IPAddress) -> NodeID? {
        aliveReports.filter { $0.report.heldAddresses.contains(address) }.max { $0.report.term < $1.report.term }?.node
    }

    private func describe(_ member: MemberDirectory.Entry) -> StatusDocument.Node {
        let alive = aliveReport(of: member.id)
        let report = alive ?? sightings[member.id]?.report
        let committed = aliveReports.map(\.report.commitIndex.number).max() ?? 0
        let applied = report?.appliedIndex.number
        return StatusDocument.Node(
            id: member.id.number, name: member.name, member: member.standing, transition: member.transition,
            drained: member.isDrained,
            role: alive?.role ?? .unreachable, alive: alive != nil,
            term: report?.term.number, commitIndex: report?.commitIndex.number, appliedIndex: applied,
            trailing: applied.map { committed > $0 ? committed - $0 : 0 }, fence: report?.fence.description,
            guard: report?.guardIdentity, engine: report?.engine.rawValue, problems: report?.problems ?? [],
            movedConnections: report?.moved,
            rebuiltConnections: report?.rebuilt,
            raft: member.raft, admin: member.admin,
            pid: report?.pid,
            version: report?.version)
    }

    private func describe(_ backend: Backend, of upstream: String) -> StatusDocument.Backend {
        let key = BackendKey(upstream: upstream, address: backend.address)
        let record = state.backends[key] ?? BackendRecord()
        let (isHealthy, reason) = judge(record, localBackends[key])
        return StatusDocument.Backend(
            address: backend.address.description, weight: backend.weight, mode: record.mode.rawValue,
            healthy: isHealthy,
            activeRequests: aliveReports.reduce(0) { $0 + ($1.report.activeRequests[key] ?? 0) },
            reason: reason + elsewhere(ejected: key),
            registration: state.registrations.key(of: backend.address, in: upstream)?.id)
    }

    private func queue(of upstream: Upstream) -> StatusDocument.Queue? {
        let queues = aliveReports.compactMap { node, report in
            report.queues.first { $0.upstream == upstream.name }.map { (node, $0) }
        }
        if queues.isEmpty { return nil }
        let places = queues.map { node, queue in
            let name = directory.members.first { $0.id == node }?.name ?? "node \(node.number)"
            return "\(queue.waiting) at \(name), where \(queue.limit(of: upstream.limits)) is reached"
        }
        return StatusDocument.Queue(
            waiting: queues.reduce(0) { $0 + $1.1.waiting }, reason: places.joined(separator: "; "))
    }

    /// Ejections are each node's own: says which other ones have ejected the backend.
    private func elsewhere(ejected key: BackendKey) -> String {
        let others = directory.members.filter { member in
            member.id != node && aliveReport(of: member.id)?.ejected.contains(key) == true
        }
        return others.isEmpty ? "" : "; ejected by \(others.map(\.name).joined(separator: ", "))"
    }

    /// The cluster's verdict while there is a quorum to agree on one, else this node's own.
    private func judge(_ record: BackendRecord, _ local: LocalBackend?) -> (isHealthy: Bool, reason: String) {
        let own = local?.verdict ?? .unknown
        let verdict = hasQuorum ? record.agreedVerdict : own
        if verdict.status == .down { return (false, verdict.reason) }
        if own.status == .down { return (true, "up for the cluster, not from here: \(own.reason)") }
        if let avoidance = local?.avoidance { return (true, "\(avoidance)") }
        return (true, verdict.reason)
    }
}
