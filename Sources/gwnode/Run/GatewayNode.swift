import Gateway
import Glibc
import Posix
import Raft
import Synchronization
import TLS

/// One running node: the parts of the process and how they are tied together.
final class GatewayNode: Sendable {
    /// How long running requests may take to finish when the node stops.
    private static let drainLimit = Nanoseconds.seconds(30)

    let configuration: NodeConfiguration
    let view: SharedClusterView
    let serving: Serving
    let workers: WorkerPool
    let prober: HealthProber
    let raft: RaftNode<ClusterHost>
    let mover: AddressMover
    let heir: ConnectionHeir?
    let outliving: OutlivingConnections?
    let admin: AdminServer
    let notices: NoticeListener?
    private let events: Mailbox<ControlLoop.Event>
    private let control: Posix.Thread
    private let failure = Mutex<RaftNodeError?>(nil)
    let configPath: String
    /// Where the program lay when this process began.
    let program: String
    /// What the next process of this node needs to go on with the guard; nil where there is none.
    let passGuard: (@Sendable () -> PassedGuard?)?
    /// Of another process that takes the place of this one.
    let replacement = Mutex(Replacement.none)
    /// False while the process whose place this one has taken might yet give it to another.
    private let hasProven: Atomic<Bool>

    /// Starts everything, in the place of a former process if there is one. What goes wrong is said in one line.
    init(
        _ configuration: NodeConfiguration, path: String, seed: SeedConfiguration?, predecessor: Predecessor?
    ) throws(StartFailure) {
        configPath = path
        program = installedPath() ?? ""
        hasProven = Atomic(predecessor == nil)
        let upgrades = UpgradeDesk()
        let events = try StartFailure.wrap { () throws(SystemError) in
            try Mailbox<ControlLoop.Event>(capacity: ControlLoop.mailboxCapacity)
        }
        let token = try GatewayNode.adminToken(configuration)
        let renewals = SharedRenewals()
        let view = SharedClusterView { events.post(.viewChanged) }
        let continuity = try Continuity(configuration)
        let proxy = try ProxyOptions(configuration, continuity)
        let serving = Serving(
            firstStep: Int(configuration.node.id.number) - 1, workers: proxy.workers, engine: proxy.engine)
        let workers = try StartFailure.wrap { () throws(SystemError) in
            try WorkerPool(proxy, table: serving.emptyTable())
        }
        let own = UpgradeOffer(configuration, workers: workers.count, guardVersion: GuardOrder.version)
        let inheritance = try predecessor?.takeOver(own, version: gwnodeVersion)
        workers.inherit(inheritance?.listeners ?? [:])
        let raft = try Self.makeRaft(configuration, inheriting: inheritance?.raft)
        // Made here so that its errors are told; only the consensus thread ever uses it.
        nonisolated(unsafe) let virtualIP = try AddressKeeping.keeper(
            configuration, workers, continuity.custody, inheriting: inheritance?.guard
        ) { raft.perform { _ in } }
        let noticeKey = NoticeKey.random()
        let outliving = try OutlivingConnections(continuity.sharing, continuity.mute, workers)
        let mover = AddressMover(
            raft: raft, workers: workers, view: view, timeout: configuration.moveTimeout,
            carrier: continuity.carrier(raft, workers, outliving))
        let heir = try continuity.heir(raft, workers, view, outliving)
        passGuard = (virtualIP as? GuardedAddresses)?.pass
        let setWitnesses = (virtualIP as? GuardedAddresses)?.setWitnesses
        let prober = try Self.makeProber(serving, events)

        self.configuration = configuration
        self.view = view
        self.serving = serving
        self.workers = workers
        self.prober = prober
        self.raft = raft
        self.mover = mover
        self.heir = heir
        self.outliving = outliving
        self.events = events
        notices = AddressKeeping.listener(
            on: raft.listenAddress, inheriting: inheritance?.notices, view, raft, heir, outliving)
        let services = NodeServices(
            configuration, view: view, serving: serving, liveBoard: LiveBoard(), raft: raft,
            control: { events.post(.perform($0)) }, statistics: { workers.statistics }, renewals: renewals,
            upgrades: upgrades)
        let admin = try Self.makeAdmin(configuration, inheriting: inheritance?.admin, services, token)
        self.admin = admin
        control = try StartFailure.wrap { () throws(SystemError) in
            try Posix.Thread(name: "control") {
                GatewayNode.runControl(
                    configuration, seed, events, view, serving, workers, prober, raft, mover, renewals, services,
                    continuity.custody, isSucceeding: inheritance != nil, tellWatchers: { admin.tellWatchers() }
                ) { peers in
                    setWitnesses?(Witnesses(node: configuration.node.id, key: noticeKey, peers: peers))
                }
            }
        }
        predecessor?.tell(.begins)
        do throws(RaftNodeError) {
            try raft.start(
                makeHost: {
                    ClusterHost(
                        on: $0, virtualIP: virtualIP, noticeKey: noticeKey, view: view, mover: mover, heir: heir,
                        outliving: outliving)
                },
                ended: { [weak self] reason in self?.failure.withLock { $0 = reason } })
        } catch {
            throw StartFailure("\(error)")
        }
        upgrades.open { [weak self] done in
            guard let self else { return done(.failure(.unavailable("this node stops"))) }
            upgrade(done: done)
        }
        if let predecessor, let inheritance { try succeed(predecessor, inheritance) }
    }

    var timing: Timing { Timing(configuration.timing) }
    var hasGuard: Bool { passGuard != nil }
    var isProven: Bool { hasProven.load(ordering: .acquiring) }
    func noteProven() { hasProven.store(true, ordering: .releasing) }

    func stopControl() {
        while !events.post(.stop) { sched_yield() }
        control.join()
    }

    /// What another process could not take along may go on for some time yet.
    func stopRemains() { workers.stop(drainingUntil: .now() + GatewayNode.drainLimit) }

    private static func makeRaft(
        _ configuration: NodeConfiguration, inheriting heritage: RaftHeritage?
    ) throws(StartFailure) -> RaftNode<ClusterHost> {
        try StartFailure.wrap { () throws(SystemError) in try makeDirectories(configuration.dataDirectory) }
        var options = try RaftNodeOptions(configuration)
        options.heritage = heritage
        do throws(RaftNodeError) { return try RaftNode(options) } catch { throw StartFailure("\(error)") }
    }

    private static func makeProber(
        _ serving: Serving, _ events: Mailbox<ControlLoop.Event>
    ) throws(StartFailure) -> HealthProber {
        try StartFailure.wrap { () throws(SystemError) in
            try HealthProber(seed: .random(in: 0 ... .max)) { observation in
                if observation.result.isSuccess == true { serving.readmit(observation.backend) }
                guard observation.isChange, let verdict = observation.verdict else { return }
                events.post(.verdict(observation.backend, verdict))
            }
        }
    }

    private static func makeAdmin(
        _ configuration: NodeConfiguration, inheriting inherited: Int32?, _ services: NodeServices, _ token: AdminToken?
    ) throws(StartFailure) -> AdminServer {
        let certificate = try adminCertificate(configuration)
        let handler = AdminHandler(services: services.adminServices, names: adminNames(configuration), token: token)
        do throws(AdminServerError) {
            return try AdminServer(
                configuration.admin, rights: configuration.adminSocket, inheriting: inherited, handler: handler,
                certificate: certificate)
        } catch {
            throw StartFailure("\(error)")
        }
    }

    /// Another one than Raft's: each belongs to its thread.
    private static func adminCertificate(
        _ node: NodeConfiguration
    ) throws(StartFailure) -> sending NodeCertificate? {
        guard node.adminTLS, let files = node.certificate else { return nil }
        do throws(TLSFailure) { return try NodeCertificate(files, name: node.certificateName, at: .now()) } catch {
            throw StartFailure("\(error)")
        }
    }

    /// The body of the control thread.
    private static func runControl(
        _ configuration: NodeConfiguration, _ seed: SeedConfiguration?, _ events: Mailbox<ControlLoop.Event>,
        _ view: SharedClusterView, _ serving: Serving, _ workers: WorkerPool, _ prober: HealthProber,
        _ raft: RaftNode<ClusterHost>, _ mover: AddressMover, _ renewals: SharedRenewals, _ services: NodeServices,
        _ custody: Custody?, isSucceeding: Bool, tellWatchers: () -> Void,
        setPeers: @escaping ([SocketAddress]) -> Void
    ) {
        let proposals = OwnProposals(
            node: configuration, view: view, serving: serving, seed: seed, renewals: renewals,
            propose: { command, timeout, done in
                raft.propose(command.encoded(), timeout: timeout) { _ in done() }
            }, takeSample: services.liveBoard.takeSample, publishInfo: { raft.publish(info: $0) })
        let control = ServingControl(
            node: configuration, view: view, serving: serving, workers: workers, prober: prober,
            configureVirtualIP: { addresses, ports in
                custody?.addresses = Set(addresses)
                raft.perform { $0.serve(addresses: addresses, ports: ports) }
            }, adopted: { proposals.replaceBackends(of: $0) })
        let scaling = ScalingKeeper(node: configuration, services: services) { command, timeout, done in
            raft.propose(command.encoded(), timeout: timeout) { _ in done() }
        }
        let members = MembershipKeeper(node: configuration, view: view, raft: raft, mover: mover, setPeers: setPeers)
        control.begin(inMidService: isSucceeding)
        ControlLoop.run(events, control, proposals, members, scaling, services, tellWatchers: tellWatchers)
    }

    /// Why the node can not go on: consensus ended by itself, or the others removed this node; nil while it can.
    var failureReason: RaftNodeError? {
        if let reason = failure.withLock({ $0 }) { return reason }
        let removed = MemberDirectory(of: view.current, configuration).removed
        return removed.contains(configuration.node.id) ? .removed : nil
    }

    /// Gives up the virtual addresses and leadership, lets running requests finish, and ends all threads.
    func stop() {
        Log.info("stopping: handing over the virtual addresses, then finishing running requests")
        mover.leave()
        raft.perform { $0.shutDown() }
        raft.stop(graceful: true)
        heir?.stop()
        outliving?.stop()
        workers.stop(drainingUntil: .now() + GatewayNode.drainLimit)
        stopControl()
        prober.stop()
        notices?.stop()
        admin.stop()
    }

    /// Takes what certificates' files hold now.
    func reloadCertificates() { _ = events.post(.reloadCertificates) }

    /// Opens the access log again, for whoever has renamed its file.
    func reopenLogs() { workers.reopenAccessLog() }

    private static func adminToken(_ configuration: NodeConfiguration) throws(StartFailure) -> AdminToken? {
        guard let path = configuration.adminToken else { return nil }
        do throws(AdminTokenError) { return try AdminToken(file: path) } catch { throw StartFailure("\(error)") }
    }

    private static func adminNames(_ configuration: NodeConfiguration) -> Set<String> {
        Set(["localhost", configuration.node.name] + configuration.peers.compactMap(\.admin.host))
    }
}

extension ProxyOptions {
    fileprivate init(_ configuration: NodeConfiguration, _ continuity: Continuity) throws(StartFailure) {
        let workers = configuration.workers ?? processorCount()
        self.init(
            workers: workers, limits: ProxyLimits(configuration.limits, workers: workers),
            engine: try StartFailure.wrap { () throws(SystemError) in try configuration.engine.resolved() },
            accessLog: configuration.accessLog, custody: continuity.custody, sharing: continuity.sharing)
    }
}

extension RaftNodeOptions {
    fileprivate init(_ configuration: NodeConfiguration) throws(StartFailure) {
        guard let own = configuration.ownPeer else { throw StartFailure("the node is not among its own peers") }
        guard let listen = own.raft.numericAddress ?? SocketAddress("0.0.0.0:\(own.raft.port)") else {
            throw StartFailure("\(own.raft) is not an address to listen on")
        }
        self.init(
            cluster: configuration.cluster, id: configuration.node.id, listen: listen,
            dataDirectory: configuration.dataDirectory,
            founding: Membership(voters: configuration.join ? [] : configuration.peers.map(\.id)),
            peers: configuration.peers.filter { $0.id != own.id }.map {
                PeerAddress(id: $0.id, address: $0.raft.description)
            })
        certificate = configuration.certificate
        timing = Timing(configuration.timing)
    }
}

extension Timing {
    init(_ profile: TimingProfile) {
        switch profile {
        case .fast: self = .fast
        case .lan: self = .lan
        case .cautious: self = .cautious
        case .wan: self = .wan
        }
    }
}
