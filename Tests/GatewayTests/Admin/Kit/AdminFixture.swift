import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Services of a node that agrees with itself, and records what it was asked for.
final class FakeNode: Sendable {
    struct Held {
        var state = ClusterState()
        var modes: [BackendKey: BackendMode] = [:]
        var lastUpload: ConfigurationUpload?
        var wishes: [MemberChange.Wish] = []
        var moves: [NodeID?] = []
        var keys = KeySpace()

        init() { _ = apply(ConfigurationUpload(source: "// first\n{}", name: "first", author: "test")) }

        mutating func apply(_ upload: ConfigurationUpload) -> Result<Revision, AdminFailure> {
            let change = ConfigurationChange(
                source: upload.source, configuration: Sample.configuration, expectedRevision: upload.expectedRevision,
                author: upload.author, at: WallTime(millisecondsSince1970: 0))
            switch state.apply(.applyConfiguration(change)) {
            case .configured(let revision): return .success(revision)
            case .refused(let refusal): return .failure(.refused(refusal))
            case .applied, .unchanged, .keyChanged: preconditionFailure("a configuration is configured or refused")
            }
        }
    }

    let held = Mutex(Held())
    let unreadiness = Mutex<String?>(nil)
    /// What watchers are told.
    let view = Mutex(Sample.view)
    /// Set to hold back answers to `apply` until `release` is called.
    let withheld = Mutex<[@Sendable () -> Void]?>(nil)

    static let backend = BackendKey(upstream: "app", address: SocketAddress("10.0.0.1:80")!)

    func release() {
        let answers = withheld.withLock { answers in
            defer { answers = nil }
            return answers ?? []
        }
        for answer in answers { answer() }
    }

    var services: AdminServices {
        AdminServices(
            status: { consistency, completion in
                var sources = Sample.sources()
                sources.isStale = consistency == .stale
                completion(.success(sources.document()))
            },
            node: {
                NodeDocument(
                    id: 1, name: "gw1", cluster: "demo", pid: 4711, version: "0.1.0",
                    startedAt: "2026-11-22T13:07:05.123Z")
            },
            unreadiness: { self.unreadiness.withLock { $0 } },
            metrics: { Sample.metrics() },
            live: { self.view.withLock { $0 } },
            readState: { _, completion in completion(.success(self.held.withLock { $0.state })) },
            validate: { source, name in source.contains("bad") ? ["\(name):1:1: x: bad; good"] : [] },
            apply: { upload, completion in self.apply(upload, completion) },
            setMode: { key, mode, _, completion in
                guard key == Self.backend else { return completion(.failure(.refused(.unknownBackend(key)))) }
                self.held.withLock { $0.modes[key] = mode }
                completion(.success(()))
            },
            changeMember: { change, completion in
                self.held.withLock { $0.wishes.append(change.wish) }
                if change.wish == .remove(NodeID(9)) {
                    return completion(.failure(.refused(.member(.notMember(NodeID(9))))))
                }
                completion(.success(()))
            },
            moveLeadership: { move, completion in
                self.held.withLock { $0.moves.append(move.target) }
                if move.target == NodeID(3) {
                    return completion(.failure(.refused(.member(.unreachable(NodeID(3))))))
                }
                completion(.success(()))
            },
            upgrade: { completion in completion(.failure(.upgrade("nothing is installed"))) }, keys: keys,
            registrations: registrations,
            snapshot: { _, completion in
                let state = self.held.withLock { held in
                    var state = ReplicatedState()
                    (state.cluster, state.keys) = (held.state, held.keys)
                    return state
                }
                completion(
                    .success(
                        SnapshotArchive(
                            of: state, through: LogIndex(17), term: Term(3), cluster: "demo", by: NodeID(1),
                            at: WallTime(millisecondsSince1970: 0))))
            }, begin: {})
    }

    private var registrations: AdminServices.Registering {
        AdminServices.Registering(
            put: { key, registration, completion in
                let change = RegistrationChange(
                    key: key, registration: registration, at: WallTime(millisecondsSince1970: 0))
                switch self.held.withLock({ $0.state.apply(.register(change)) }) {
                case .refused(let refusal): completion(.failure(.refused(refusal)))
                case .unchanged: completion(.success(true))
                case .applied, .configured, .keyChanged: completion(.success(false))
                }
            },
            remove: { key, completion in
                let removal = RegistrationRemoval(key: key, at: WallTime(millisecondsSince1970: 0))
                switch self.held.withLock({ $0.state.apply(.deregister(removal)) }) {
                case .refused(let refusal): completion(.failure(.refused(refusal)))
                case .unchanged, .applied, .configured, .keyChanged: completion(.success(()))
                }
            })
    }

    private var keys: AdminServices.Keys {
        AdminServices.Keys(
            read: { key, _, completion in completion(.success(self.held.withLock { $0.keys.records[key] })) },
            list: { prefix, _, completion in
                completion(.success(self.held.withLock { $0.keys }.listing(prefix: prefix)))
            },
            change: { change, completion in
                switch self.held.withLock({ $0.keys.apply(change) }) {
                case .keyChanged(let revision): completion(.success(revision))
                case .refused(let refusal): completion(.failure(.refused(refusal)))
                case .applied, .configured, .unchanged: completion(.success(nil))
                }
            })
    }

    private func apply(_ upload: ConfigurationUpload, _ completion: @escaping AdminServices.Completion<Revision>) {
        let result = held.withLock { held -> Result<Revision, AdminFailure> in
            held.lastUpload = upload
            if upload.source.contains("bad") { return .failure(.invalid(["\(upload.name):1:1: x: bad; good"])) }
            return held.apply(upload)
        }
        let isWithheld = withheld.withLock { answers in
            answers?.append { completion(result) }
            return answers != nil
        }
        if !isWithheld { completion(result) }
    }
}

/// A cluster of three with one dead node and one backend down.
enum Sample {
    static let configuration = GatewayConfiguration(
        virtualAddresses: [IPAddress("127.0.0.100")!], listeners: [Listener(name: "web", port: 8080)],
        routes: [Route(path: "/", upstream: "app")],
        upstreams: [
            Upstream(
                name: "app",
                backends: [
                    Backend(address: SocketAddress("10.0.0.1:80")!),
                    Backend(address: SocketAddress("10.0.0.2:80")!, weight: 5),
                ])
        ])

    static func report(
        _ role: NodeRole, pid: Int32, applied: UInt64, holds: [IPAddress] = [], active: Int = 0
    ) -> NodeReport {
        NodeReport(
            pid: pid, version: "0.1.0", role: role, term: Term(3), commitIndex: LogIndex(17),
            appliedIndex: LogIndex(applied), heldAddresses: holds, fence: .guard,
            engine: .epoll, noticeKey: NoticeKey(first: 1, second: 2),
            activeRequests: active == 0 ? [:] : [FakeNode.backend: active])
    }

    static func sources() -> StatusSources {
        let now = Instant.zero + .seconds(100)
        var state = ClusterState()
        let stamp = WallTime(millisecondsSince1970: 0)
        _ = state.apply(
            .applyConfiguration(
                ConfigurationChange(
                    source: "{}", configuration: configuration, expectedRevision: nil, author: "test", at: stamp)))
        let second = BackendKey(upstream: "app", address: SocketAddress("10.0.0.2:80")!)
        for node in UInt64(1)...2 {
            let change = HealthReportChange.Change(second, HealthVerdict(.down, reason: "connect refused"))
            _ = state.apply(.reportHealth(HealthReportChange(node: NodeID(node), changes: [change], at: stamp)))
        }
        let peers = (UInt64(1)...3).map { id in
            NodeConfiguration.Peer(
                id: NodeID(id), name: "gw\(id)", raft: HostPort(host: "127.0.0.1", port: 8100 + UInt16(id)),
                admin: .tcp(HostPort(host: "127.0.0.1", port: 8090 + UInt16(id))))
        }
        let voters = Membership(voters: peers.map(\.id))
        let node = NodeConfiguration(
            cluster: "demo", node: .init(id: NodeID(2), name: "gw2"), dataDirectory: "data",
            admin: .tcp(HostPort(host: "127.0.0.1", port: 8092)), peers: peers)
        let directory = MemberDirectory(node: node, state: state, membership: voters, committed: voters)
        return StatusSources(
            cluster: "demo", now: now, node: NodeID(2), directory: directory, leader: NodeID(1), hasQuorum: true,
            isStale: false,
            ownReport: report(.follower, pid: 102, applied: 15, active: 2),
            sightings: [
                NodeID(1): .init(
                    report: report(
                        .leader, pid: 101, applied: 17, holds: configuration.virtualAddresses, active: 3),
                    at: now - .milliseconds(100)),
                NodeID(3): .init(report: report(.follower, pid: 103, applied: 9), at: now - .seconds(2)),
            ],
            connected: [NodeID(1), NodeID(3)], state: state, configuration: configuration, localBackends: [:])
    }

    static var view: LiveView {
        let live = sources().liveDocument(at: WallTime(millisecondsSince1970: 0))
        return LiveView(
            node: NodeDocument(
                id: 2, name: "gw2", cluster: "demo", pid: 1, version: "0.1.0", startedAt: "2026-11-22T13:07:05.123Z"),
            status: sources().document(), live: live, history: [live.point], journal: sources().state.journal)
    }

    static var measures: UpstreamMeasures {
        var measures = UpstreamMeasures()
        measures.responses[1] = 3
        measures.durations.record(.microseconds(100))
        measures.durations.record(.milliseconds(3))
        measures.durations.record(.seconds(100))
        return measures
    }

    static func metrics() -> NodeMetrics {
        NodeMetrics(
            name: "gw\"2", version: "0.1.0", status: sources(), raft: nil, proxy: ProxyStatistics(),
            upstreams: [("app", measures)],
            backends: [
                FakeNode.backend: .init(requests: 7, failures: 2, activeRequests: 1, isPassedOver: true)
            ],
            syncs: LatencyHistogram(), roundTrips: [NodeID(1): LatencyHistogram()],
            process: ProcessUsage(
                processorTime: .milliseconds(1500), residentBytes: 4096, openDescriptors: 9, maximumDescriptors: 1024,
                startedAt: WallTime(millisecondsSince1970: 1500)))
    }
}
