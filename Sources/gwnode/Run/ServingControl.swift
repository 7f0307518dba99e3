import Gateway
import Posix
import Raft

/// Keeps workers, prober and virtual addresses in step with the replicated state. Confined to the control thread.
final class ServingControl {
    private let node: NodeConfiguration
    private let view: SharedClusterView
    private let serving: Serving
    private let workers: WorkerPool
    private let prober: HealthProber
    private let lastKnown: LastKnownConfiguration
    /// What is in force and not yet kept. Many changes in a row are kept once: each costs an fsync, for which the
    /// write-ahead log would have to wait.
    private var unsaved: String?
    private var nextSave = Instant.zero
    private static let savePause = Nanoseconds.seconds(1)
    /// Runs on the consensus thread.
    private let configureVirtualIP: (_ addresses: [IPAddress], _ ports: [UInt16]) -> Void
    private let adopted: (GatewayConfiguration) -> Void

    /// The configuration as its file has it.
    private var base: GatewayConfiguration?
    /// The revision of the registrations that are served with it.
    private var servedRegistrations: UInt64 = 0
    /// The revision that was read last, good or not.
    private var seenRevision = Revision.none
    /// Of many configurations in a row only some are read, and always the last one.
    private var nextReading = Instant.zero
    private var waitsToRead = false
    private var waitsForQuorumUntil = Instant.zero
    private static let quorumPatience = Nanoseconds.seconds(1)
    private static let readingPause = Nanoseconds.milliseconds(20)
    private let security: ListenerSecurity
    private let upstreamSecurity = UpstreamSecurity()
    private var openListeners: [ListenerPlan.Endpoint: ListenerID] = [:]
    private var failedListeners: Set<ListenerPlan.Endpoint> = []

    init(
        node: NodeConfiguration, view: SharedClusterView, serving: Serving, workers: WorkerPool, prober: HealthProber,
        configureVirtualIP: @escaping (_ addresses: [IPAddress], _ ports: [UInt16]) -> Void,
        adopted: @escaping (GatewayConfiguration) -> Void
    ) {
        self.node = node
        self.view = view
        self.serving = serving
        self.workers = workers
        self.prober = prober
        self.configureVirtualIP = configureVirtualIP
        self.adopted = adopted
        security = ListenerSecurity(node: node) { [workers] plan in workers.setTerms(plan) }
        lastKnown = LastKnownConfiguration(dataDirectory: node.dataDirectory)
    }

    /// Serves what was served before the process ended, until the cluster says what is right.
    ///
    /// A process that goes on `inMidService` has all that the cluster agreed on, and serves nobody by less: it begins when
    /// it knows that it is a member, or after some time.
    func begin(inMidService: Bool) {
        if inMidService {
            waitsForQuorumUntil = .now() + Self.quorumPatience
        } else if let configuration = lastKnown.load() {
            adopt(configuration)
        }
    }

    func note(_ verdict: HealthVerdict, on backend: BackendKey) {
        serving.withState { $0.verdicts[backend] = verdict }
    }

    /// Reads all certificates anew, changed or not.
    func reloadCertificates() {
        security.reload()
        upstreamSecurity.reload()
        certificatesHaveChanged()
    }

    /// What connections to backends begin with from now on; the idle ones that began otherwise are closed.
    private func certificatesHaveChanged() {
        noteProblems()
        if let base { serve(base) }
    }

    private func noteProblems() {
        let problems = security.problems + upstreamSecurity.problems
        serving.withState { $0.problems = problems }
    }

    /// To be called after every event and from time to time.
    func update() {
        guard let view = view.current else { return }
        if view.raft.hasQuorum { waitsForQuorumUntil = .zero }
        if Instant.now() < waitsForQuorumUntil { return }
        if let record = view.state.configuration, record.revision != seenRevision {
            waitsToRead = Instant.now() < nextReading
            if !waitsToRead { read(record) }
        }
        if let base, view.state.registrations.revision != servedRegistrations { serve(base) }
        if security.refresh() { noteProblems() }
        if upstreamSecurity.refresh() { certificatesHaveChanged() }
        security.adopt(view.state.ticketKeys)
        retryListeners()
        publish(view, configurationHasChanged: false)
        if Instant.now() >= nextSave { save() }
    }

    /// To be called once, after the last `update`.
    func end() { save() }

    private func save() {
        guard let source = unsaved else { return }
        lastKnown.save(source)
        unsaved = nil
        nextSave = .now() + Self.savePause
    }

    /// When `update` must be called again at the latest.
    var nextDeadline: Instant {
        let begin = waitsForQuorumUntil > .now() ? waitsForQuorumUntil : .distantFuture
        return min(waitsToRead ? nextReading : .distantFuture, begin)
    }

    private func read(_ record: ConfigurationRecord) {
        seenRevision = record.revision
        nextReading = .now() + Self.readingPause
        do throws(ConfigurationProblems) {
            let configuration = try GatewayConfiguration.read(
                Array(record.source.utf8), file: "revision \(record.revision)")
            unsaved = record.source
            Log.info(
                "config: revision \(record.revision) by \(record.author) is in force",
                [
                    .event("configuration-applied"), .revision(record.revision.number), .author(record.author),
                ])
            adopt(configuration)
        } catch {
            Log.error(
                "config: revision \(record.revision) can not be read by this version of gwnode, "
                    + "which goes on serving the one before: \(error)",
                [
                    .event("configuration-refused"), .revision(record.revision.number), .error("\(error)"),
                ])
        }
    }

    private func adopt(_ configuration: GatewayConfiguration) {
        for conflict in node.conflicts(with: configuration) { Log.warning("config: \(conflict)") }
        base = configuration
        upstreamSecurity.adopt(configuration)
        serve(configuration)
        security.adopt(configuration)
        noteProblems()
        listen(as: ListenerPlan(node: node, gateway: configuration))
        configureVirtualIP(configuration.virtualAddresses, configuration.listeners.map(\.port))
    }

    /// Serves what the file says, with the backends that registered themselves.
    private func serve(_ base: GatewayConfiguration) {
        let registrations = view.current?.state.registrations ?? Registrations()
        servedRegistrations = registrations.revision
        let configuration = base.joined(by: registrations)
        let securities = upstreamSecurity.securities
        let targets = configuration.probeTargets(securities)
        let checked = Set(targets.map(\.backend))
        serving.withState { state in
            state.configuration = configuration
            state.securities = securities
            state.verdicts = state.verdicts.filter { checked.contains($0.key) }
        }
        prober.setTargets(targets)
        adopted(configuration)
        if let view = view.current {
            publish(view, configurationHasChanged: true)
        } else {
            publishTable(records: [:], hasQuorum: false, configurationHasChanged: true)
        }
    }

    private func publish(_ view: ClusterView, configurationHasChanged: Bool) {
        publishTable(
            records: view.state.backends, hasQuorum: view.raft.hasQuorum,
            configurationHasChanged: configurationHasChanged)
    }

    private func publishTable(records: [BackendKey: BackendRecord], hasQuorum: Bool, configurationHasChanged: Bool) {
        let table = serving.nextTable(
            records: records, hasQuorum: hasQuorum, configurationHasChanged: configurationHasChanged,
            oldestAdopted: workers.oldestAdoptedGeneration)
        if let table { workers.publish(table) }
    }

    // MARK: Listeners

    private func listen(as plan: ListenerPlan) {
        for (endpoint, id) in openListeners where !plan.endpoints.contains(endpoint) {
            workers.removeListener(id, acceptsWaiting: true)
            openListeners[endpoint] = nil
            Log.info(
                "listener: closed \(endpoint.address)",
                [.event("listener-closed"), .address("\(endpoint.address)")])
        }
        failedListeners.formIntersection(plan.endpoints)
        for endpoint in plan.endpoints where openListeners[endpoint] == nil { open(endpoint) }
    }

    private func retryListeners() {
        for endpoint in failedListeners { open(endpoint) }
    }

    private func open(_ endpoint: ListenerPlan.Endpoint) {
        do throws(SystemError) {
            let options: Socket.ListenOptions = endpoint.isVirtual ? .addressMayComeLater : []
            openListeners[endpoint] = try workers.addListener(endpoint.address, options: options).0
            failedListeners.remove(endpoint)
            Log.info(
                "listener: serving clients on \(endpoint.address)",
                [.event("listener-opened"), .address("\(endpoint.address)")])
        } catch {
            guard failedListeners.insert(endpoint).inserted else { return }
            Log.error(
                "listener: \(error); \(error.cure); trying again",
                [.event("listener-failed"), .address("\(endpoint.address)"), .error("\(error)")])
        }
    }
}
