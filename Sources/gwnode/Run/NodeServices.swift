import Gateway
import Glibc
import Posix
import Raft

/// What the admin API asks of this node. Everything here may be called from any thread.
struct NodeServices: Sendable {
    private static let writeTimeout = Nanoseconds.seconds(5)
    private static let readTimeout = Nanoseconds.seconds(2)

    let node: NodeConfiguration
    let view: SharedClusterView
    let serving: Serving
    let liveBoard: LiveBoard
    let raft: RaftNode<ClusterHost>
    /// Runs a body on the control thread; false when too much waits there.
    let control: @Sendable (@escaping @Sendable () -> Void) -> Bool
    /// What the workers have done.
    let statistics: @Sendable () -> ProxyStatistics
    let renewals: SharedRenewals
    let upgrades: UpgradeDesk
    let startedAt = WallTime.now()

    init(
        _ node: NodeConfiguration, view: SharedClusterView, serving: Serving, liveBoard: LiveBoard,
        raft: RaftNode<ClusterHost>,
        control: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool,
        statistics: @escaping @Sendable () -> ProxyStatistics, renewals: SharedRenewals, upgrades: UpgradeDesk
    ) {
        self.node = node
        self.view = view
        self.serving = serving
        self.liveBoard = liveBoard
        self.raft = raft
        self.control = control
        self.statistics = statistics
        self.renewals = renewals
        self.upgrades = upgrades
    }

    var adminServices: AdminServices {
        AdminServices(
            status: status, node: describe, unreadiness: unreadiness, metrics: metrics, live: live,
            readState: readState,
            validate: { source, name in problems(in: source, name: name) }, apply: apply, setMode: setMode,
            changeMember: changeMember, moveLeadership: moveLeadership, upgrade: upgrades.ask, keys: keyServices,
            registrations: registrationServices, snapshot: snapshot,
            begin: raft.beginProposed)
    }

    func describe() -> NodeDocument {
        NodeDocument(
            id: node.node.id.number, name: node.node.name, cluster: node.cluster, pid: getpid(),
            version: gwnodeVersion, startedAt: startedAt.description)
    }

    private func unreadiness() -> String? {
        if serving.configuration == nil { return "this node has no gateway configuration yet" }
        return view.current?.state.drained.contains(node.node.id) == true ? "this node is drained" : nil
    }

    private func readState(
        _ consistency: AdminServices.Consistency, _ completion: @escaping AdminServices.Completion<ClusterState>
    ) {
        switch consistency {
        case .stale: completion(.success(view.current?.state ?? ClusterState()))
        case .linearizable: read(.linearizable, { $0.state.cluster }, completion)
        }
    }

    /// What the host has, on the consensus thread; for a linearizable read when it is new enough.
    func read<Value>(
        _ consistency: AdminServices.Consistency, _ body: @escaping @Sendable (ClusterHost) -> Value,
        _ completion: @escaping AdminServices.Completion<Value>
    ) {
        let readNow = { @Sendable in
            let isQueued = raft.perform { host in completion(.success(body(host))) }
            if !isQueued { completion(.failure(AdminFailure(ReadError.overloaded))) }
        }
        switch consistency {
        case .stale: readNow()
        case .linearizable:
            raft.readBarrier(timeout: NodeServices.readTimeout) { result in
                switch result {
                case .failure(let error): completion(.failure(AdminFailure(error)))
                case .success: readNow()
                }
            }
        }
    }

    private func problems(in source: String, name: String) -> [String] {
        do throws(ConfigurationProblems) {
            let configuration = try GatewayConfiguration.read(Array(source.utf8), file: name)
            return configuration.certificateProblems.map { "\(name): \($0)" }
        } catch {
            return error.problems.map(\.description)
        }
    }

    private func apply(_ upload: ConfigurationUpload, _ completion: @escaping AdminServices.Completion<Revision>) {
        let configuration: GatewayConfiguration
        do throws(ConfigurationProblems) {
            configuration = try GatewayConfiguration.read(Array(upload.source.utf8), file: upload.name)
        } catch {
            return completion(.failure(.invalid(error.problems.map(\.description))))
        }
        let problems = configuration.certificateProblems
        guard problems.isEmpty else {
            return completion(.failure(.invalid(problems.map { "\(upload.name): \($0)" })))
        }
        let change = ConfigurationChange(
            source: upload.source, configuration: configuration, expectedRevision: upload.expectedRevision,
            author: upload.author, at: .now())
        propose(.applyConfiguration(change)) { result in
            completion(
                result.flatMap { outcome in
                    switch outcome {
                    case .configured(let revision): .success(revision)
                    case .refused(let refusal): .failure(.refused(refusal))
                    case .applied, .unchanged, .keyChanged:
                        preconditionFailure("a configuration is configured or refused")
                    }
                })
        }
    }

    private func setMode(
        _ backend: BackendKey, _ mode: BackendMode, _ author: String,
        _ completion: @escaping AdminServices.Completion<Void>
    ) {
        let change = BackendModeChange(backend: backend, mode: mode, author: author, at: .now())
        propose(.setBackendMode(change)) { result in
            completion(
                result.flatMap { outcome in
                    switch outcome {
                    case .applied, .unchanged: .success(())
                    case .refused(let refusal): .failure(.refused(refusal))
                    case .configured, .keyChanged: preconditionFailure("a mode is set or refused")
                    }
                })
        }
    }

    func propose(_ command: Command, _ completion: @escaping AdminServices.Completion<Outcome>) {
        propose(.cluster(command), completion)
    }

    func propose(_ change: ReplicatedState.Change, _ completion: @escaping AdminServices.Completion<Outcome>) {
        raft.propose(change.encoded(), timeout: NodeServices.writeTimeout, isLast: false) { result in
            completion(result.mapError { AdminFailure($0) })
        }
    }
}

extension AdminFailure {
    init(_ error: ProposalError) {
        switch error {
        case .noLeader:
            self = .unavailable(
                "no leader took the change, so nothing was changed; is there a quorum? see `gwnode status`")
        case .overloaded: self = .unavailable("too many changes wait; nothing was changed, try again")
        case .tooLarge(let limit): self = .unavailable("the change is larger than \(limit) bytes")
        case .timedOut, .unknownOutcome, .stopping: self = .timedOut
        }
    }

    init(_ error: ReadError) {
        switch error {
        case .noLeader, .timedOut: self = .unavailable("no quorum to ask; `--stale` shows what this node has")
        case .overloaded: self = .unavailable("too many reads wait, try again")
        case .stopping: self = .unavailable("this node is stopping; ask another one")
        }
    }
}
