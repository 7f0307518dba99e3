import Posix
import Raft
import Synchronization
import TLS

/// What one node can be measured by at one moment, and the page of `GET /metrics` made of it.
package struct NodeMetrics: Sendable {
    /// A backend as this node counts it.
    package struct BackendCount: Hashable, Sendable {
        package var requests: Int
        package var failures: Int
        package var activeRequests: Int
        package var isPassedOver: Bool
        package var ejections: Int

        package init(requests: Int, failures: Int, activeRequests: Int, isPassedOver: Bool, ejections: Int = 0) {
            self.requests = requests
            self.failures = failures
            self.activeRequests = activeRequests
            self.isPassedOver = isPassedOver
            self.ejections = ejections
        }
    }

    package var name: String
    package var version: String
    package var status: StatusSources
    package var raft: Status?
    package var proxy: ProxyStatistics
    /// In the order of the configuration.
    package var upstreams: [(name: String, measures: UpstreamMeasures)]
    package var backends: [BackendKey: BackendCount]
    /// From the writing of a batch of Raft's log until it is durable.
    package var syncs: LatencyHistogram
    /// Of heartbeats, while this node led.
    package var roundTrips: [NodeID: LatencyHistogram]
    package var process: ProcessUsage

    package init(
        name: String, version: String, status: StatusSources, raft: Status?, proxy: ProxyStatistics,
        upstreams: [(name: String, measures: UpstreamMeasures)], backends: [BackendKey: BackendCount],
        syncs: LatencyHistogram, roundTrips: [NodeID: LatencyHistogram], process: ProcessUsage
    ) {
        self.name = name
        self.version = version
        self.status = status
        self.raft = raft
        self.proxy = proxy
        self.upstreams = upstreams
        self.backends = backends
        self.syncs = syncs
        self.roundTrips = roundTrips
        self.process = process
    }

    package var text: String {
        var page = MetricsText()
        page.family(
            "gwnode_info", .gauge, "Which node of which cluster this is, and its version.",
            [.init(1, ("cluster", status.cluster), ("node", name), ("version", version))])
        write(requests: &page)
        write(beginnings: &page)
        write(movedConnections: &page)
        write(connections: &page)
        write(upstreams: &page)
        write(backends: &page)
        write(cluster: &page)
        write(process: &page)
        return page.text
    }

    private func write(upstreams page: inout MetricsText) {
        func family(_ name: String, _ help: String, _ value: (UpstreamMeasures) -> UInt64) {
            page.family(
                name, .counter, help,
                upstreams.map { .init(Double(value($0.measures)), ("upstream", $0.name)) })
        }
        page.family(
            "gwnode_upstream_responses_total", .counter,
            "Final responses by upstream and class of their status, 1xx being tunnels.",
            upstreams.flatMap { upstream in
                upstream.measures.responses.enumerated().map { index, count in
                    .init(Double(count), ("upstream", upstream.name), ("class", "\(index + 1)xx"))
                }
            })
        page.histograms(
            "gwnode_upstream_request_duration_seconds",
            "From a request's head to the last byte of its response, tunnels left out.",
            upstreams.map { ([("upstream", $0.name)], $0.measures.durations) })
        family("gwnode_upstream_retries_total", "Attempts at a further backend.", \.retries)
        family(
            "gwnode_upstream_retries_refused_total", "Requests not repeated because the budget for that was spent.",
            \.retriesRefused)
        family(
            "gwnode_upstream_hedges_total", "Requests that a second backend got too, as the first was slow.", \.hedges)
        family("gwnode_upstream_hedges_won_total", "Those whose answer came from the second backend.", \.hedgesWon)
        page.family(
            "gwnode_upstream_requests_waiting", .gauge, "Requests that wait for others to end.",
            upstreams.map { .init(Double($0.measures.waiting), ("upstream", $0.name)) })
        family(
            "gwnode_upstream_requests_refused_total", "Requests that got 503 because too many waited.", \.refused)
        family(
            "gwnode_upstream_queue_timeouts_total", "Requests that got 503 because they waited too long.",
            \.waitedTooLong)
        family(
            "gwnode_upstream_abandoned_total", "Requests that ended without a response, as their client had gone.",
            \.abandoned)
        family("gwnode_upstream_received_bytes_total", "Bytes of requests that are over.", \.bytesReceived)
        family("gwnode_upstream_sent_bytes_total", "Bytes of responses that are over.", \.bytesSent)
    }

    private func write(backends page: inout MetricsText) {
        let document = status.document()
        page.family(
            "gwnode_upstream_desired_backends", .gauge, "Backends that the load of the upstream asks for.",
            document.upstreams.compactMap { upstream in
                upstream.scaling?.desired.map { MetricsText.Sample(Double($0), ("upstream", upstream.name)) }
            })
        let counts = backends.sorted { $0.key < $1.key }
        func labels(_ key: BackendKey) -> [(name: String, value: String)] {
            [("upstream", key.upstream), ("backend", key.address.description)]
        }
        func samples(_ value: (BackendCount) -> Int) -> [MetricsText.Sample] {
            counts.map { key, count in
                var sample = MetricsText.Sample(Double(value(count)))
                sample.labels = labels(key)
                return sample
            }
        }
        page.family(
            "gwnode_backend_requests_total", .counter, "Requests sent to the backend by this node.",
            samples(\.requests))
        page.family(
            "gwnode_backend_failures_total", .counter,
            "Requests that got no response, none in time, an invalid one, or 5xx without 501 and 505.",
            samples(\.failures))
        page.family(
            "gwnode_backend_ejections_total", .counter, "How often this node ejected the backend for its answers.",
            samples(\.ejections))
        page.family(
            "gwnode_backend_requests_active", .gauge, "Requests that this node has under way at the backend.",
            samples(\.activeRequests))
        page.family(
            "gwnode_backend_ejected", .gauge, "1 while traffic itself has shown that the backend fails.",
            samples { $0.isPassedOver ? 1 : 0 })
        page.family(
            "gwnode_backend_healthy", .gauge, "1 if the cluster takes the backend to be healthy.",
            document.upstreams.flatMap { upstream in
                upstream.backends.map { backend in
                    .init(backend.healthy ? 1 : 0, ("upstream", upstream.name), ("backend", backend.address))
                }
            })
        page.family(
            "gwnode_backend_enabled", .gauge, "1 if the backend is neither draining nor disabled.",
            document.upstreams.flatMap { upstream in
                upstream.backends.map { backend in
                    .init(
                        backend.mode == BackendMode.enabled.rawValue ? 1 : 0, ("upstream", upstream.name),
                        ("backend", backend.address))
                }
            })
    }

    private func write(cluster page: inout MetricsText) {
        let held = status.ownReport.heldAddresses
        page.family(
            "gwnode_virtual_address_held", .gauge, "1 if this node holds the virtual address.",
            (status.configuration?.virtualAddresses ?? []).map { address in
                .init(held.contains(address) ? 1 : 0, ("address", address.description))
            })
        page.gauge("gwnode_config_revision", "Revision of the configuration in force.", status.state.revision.number)
        page.histograms(
            "gwnode_raft_fsync_duration_seconds", "From the writing of a batch of the log until it was durable.",
            [([], syncs)])
        page.histograms(
            "gwnode_raft_peer_round_trip_seconds", "From a heartbeat to its answer, while this node led.",
            roundTrips.sorted { $0.key < $1.key }.map { ([("peer", name(of: $0.key))], $0.value) })
        guard let raft else { return }
        page.gauge(
            "gwnode_drained", "1 if this node is drained: it leads and holds virtual addresses only if no other can.",
            status.state.drained.contains(status.node) ? 1 : 0)
        page.gauge("gwnode_raft_leader", "1 if this node leads.", raft.role == .leader ? 1 : 0)
        page.gauge(
            "gwnode_raft_leader_id", "The leader's id as this node knows it, 0 for none.", raft.leader?.number ?? 0)
        page.gauge("gwnode_raft_quorum", "1 if a quorum is known to be there.", raft.hasQuorum ? 1 : 0)
        page.gauge("gwnode_raft_term", "Term of this node.", raft.term.number)
        page.gauge(
            "gwnode_raft_commit_index", "Through here the log is committed, as far as known.", raft.commit.number)
        page.gauge("gwnode_raft_applied_index", "Through here the log is applied.", raft.applied.number)
        page.gauge("gwnode_raft_durable_index", "Through here the log is on this node's disk.", raft.durable.number)
        page.gauge(
            "gwnode_raft_snapshot_index", "Through here the log is in the newest snapshot.", raft.snapshot.number)
        page.family(
            "gwnode_raft_lease_seconds", .gauge, "For how long the leader's lease still lasts; 0 without one.",
            [.init(raft.lease.map { ($0.validUntil - status.now).seconds } ?? 0)])
        page.family(
            "gwnode_raft_peer_connected", .gauge, "1 while a connection to the other node is open.",
            status.directory.members.filter { $0.id != status.node }.map { member in
                .init(status.connected.contains(member.id) ? 1 : 0, ("peer", member.name))
            })
    }

    private func name(of node: NodeID) -> String {
        status.directory.members.first { $0.id == node }?.name ?? "\(node)"
    }

    private func write(process page: inout MetricsText) {
        page.family(
            "process_cpu_seconds_total", .counter, "Processor time used.", [.init(process.processorTime.seconds)])
        page.gauge("process_resident_memory_bytes", "Memory in use.", process.residentBytes)
        page.gauge("process_open_fds", "Open file descriptors.", process.openDescriptors)
        page.gauge("process_max_fds", "How many descriptors may be open.", process.maximumDescriptors)
        page.family(
            "process_start_time_seconds", .gauge, "When the process began, in seconds since 1970.",
            [.init(Double(process.startedAt.millisecondsSince1970) / 1000)])
    }
}

extension NodeMetrics.BackendCount {
    package init(_ runtime: BackendRuntime, at now: Instant) {
        self.init(
            requests: runtime.counters.pointee.requests.load(ordering: .relaxed),
            failures: runtime.counters.pointee.failures.load(ordering: .relaxed),
            activeRequests: runtime.counters.pointee.activeRequests.load(ordering: .relaxed),
            isPassedOver: runtime.counters.pointee.isPassedOver(at: now),
            ejections: runtime.counters.pointee.ejections.load(ordering: .relaxed))
    }
}
