import Posix

/// What the loop's own helpers bring; never dropped, for each answers something that the loop asked for.
private enum Arrival: Sendable {
    case disk(DiskThread<FileSystem>.Completion)
    case resolved(Resolver.Answer)
}

/// The consensus thread: it waits, takes in what arrived, lets the core and the host act on it, and sends.
///
/// One turn: requests and disk → control lanes → bulk lanes → time → what the core wants done → the host's turn →
/// sending. Nothing in it blocks. The clock is read anew after requests and messages were taken in, so that no read is
/// served by a lease that had ended before it was asked for.
final class ConsensusLoop<Host: ConsensusHost> {
    private enum Token {
        static var timer: UInt64 { 0 }
        static var requests: UInt64 { 1 }
        static var arrivals: UInt64 { 2 }
        static var firstOfTransport: UInt64 { 16 }
    }

    private static var gracefulStopTime: Nanoseconds { .seconds(1) }
    /// More arrivals than the disk thread and the resolver can owe.
    private static var arrivalCapacity: Int { 1 << 17 }

    let options: RaftNodeOptions
    let host: Host
    var raft: Raft
    let transport: Transport
    let disk: DiskThread<FileSystem>
    var proposals: PendingProposals<Host.Outcome>
    var reads: PendingReads
    var writes: OutstandingWrites
    var snapshots: SnapshotSchedule
    var now: Instant
    private let lock: DirectoryLock
    private let requests: Mailbox<RaftNode<Host>.Request>
    private let arrivals: Mailbox<Arrival>
    private let resolver: Resolver
    private let poller: SharedPoller
    private let timer: TimerDescriptor
    /// What the timer will fire at, at the latest at the next deadline; nil once it has.
    private var armedFor: Instant?
    private let publish: (RaftStatus) -> Void
    private let times: RaftTimes
    private var hostDeadline = Instant.zero
    private var leadershipLog = LeadershipLog()
    /// What the core wants done did not fit into the last turn.
    var hasMore = false
    /// The node is to stop: at once when it does not lead, otherwise when it has given that up, and then at the latest.
    private var endsAt: Instant?
    private var failure: RaftNodeError?
    /// Another process of this node is to go on: the loop ends as soon as nothing is half done.
    private(set) var isBeingSuspended = false
    /// From what the other process goes on.
    private(set) var continuation: Continuation?

    init(
        _ resources: consuming NodeResources, host: Host, requests: Mailbox<RaftNode<Host>.Request>,
        times: RaftTimes, publish: @escaping (RaftStatus) -> Void
    ) throws(RaftNodeError) {
        let options = resources.options
        let recovered = resources.recovered
        let identity = resources.storage.identity
        if let snapshot = recovered.snapshot {
            do throws(RestoreFailure) { try host.restore(snapshot.state, through: snapshot.index) } catch {
                throw .restore(error)
            }
        }
        do throws(SystemError) {
            let arrivals = try Mailbox<Arrival>(capacity: Self.arrivalCapacity)
            let resolver = try Resolver { arrivals.post(.resolved($0)) }
            poller = try SharedPoller()
            timer = try TimerDescriptor()
            disk = try DiskThread(resources.storage, syncTimes: times.syncs) { arrivals.post(.disk($0)) }
            transport = try Transport(
                local: .init(
                    cluster: ClusterTitle(name: options.cluster, life: Self.life(of: recovered, options)),
                    id: options.id, incarnation: identity.incarnation),
                certificate: resources.certificate, listener: resources.listener, registry: recovered.peers,
                poller: poller,
                firstToken: Token.firstOfTransport, resolve: { resolver.resolve($0) })
            try poller.add(timer.raw, .read, token: Token.timer)
            try poller.add(requests.descriptor, .read, token: Token.requests)
            try poller.add(arrivals.descriptor, .read, token: Token.arrivals)
            self.arrivals = arrivals
            self.resolver = resolver
        } catch { throw .system(error) }
        lock = resources.lock
        self.options = options
        self.host = host
        self.requests = requests
        self.publish = publish
        self.times = times
        let boot = UInt64.random(in: 1...UInt64.max)
        now = Instant.now()
        raft = Raft(
            Settings(id: options.id, timing: options.timing, limits: options.limits, seed: boot),
            recovered: RecoveredState(
                hardState: recovered.hardState, snapshot: recovered.snapshot, entries: recovered.entries,
                foundingMembership: options.founding),
            continuing: options.heritage?.continuation, at: now)
        proposals = PendingProposals(node: options.id, boot: boot)
        reads = PendingReads(boot: boot)
        writes = OutstandingWrites(limit: options.timing.diskStall)
        snapshots = SnapshotSchedule(options.snapshot)
        transport.connect(to: options.peers)
    }

    private static func life(
        of recovered: NodeStorage<FileSystem>.Recovered, _ options: RaftNodeOptions
    ) -> ClusterTitle.Life {
        if let incarnation = recovered.peers.cluster { return .later(incarnation) }
        let hasNothing =
            recovered.hardState == HardState() && recovered.snapshot == nil && recovered.entries.isEmpty
        return options.founding.voters.isEmpty && hasNothing ? .unknown : .founding
    }

    /// Runs until the node is stopped, or can not go on; returns why in that case.
    func run() -> RaftNodeError? {
        ThreadPriority.raiseConsensus()
        do throws(SystemError) {
            try disk.start()
            while !isOver {
                armTimer()
                try turn(poller.wait())
            }
        } catch {
            fail(.system(error))
        }
        shutDown()
        return failure
    }

    private func turn(_ events: [(token: UInt64, readiness: Readiness)]) throws(SystemError) {
        now = Instant.now()
        for event in events {
            switch event.token {
            case Token.timer:
                timer.clear()
                armedFor = nil
            case Token.requests:
                let drained = requests.drain()
                now = Instant.now()
                for request in drained { take(request) }
            case Token.arrivals: for arrival in arrivals.drain() { take(arrival) }
            default: break
            }
        }
        for event in events where event.token >= Token.firstOfTransport && !transport.isBulk(token: event.token) {
            transport.handle(token: event.token, readiness: event.readiness, at: now)
        }
        takeTransportEvents()
        for event in events where event.token >= Token.firstOfTransport && transport.isBulk(token: event.token) {
            transport.handle(token: event.token, readiness: event.readiness, at: now)
        }
        transport.tick(at: now)
        takeTransportEvents()
        watchTime()
        carryOutAll()
        transport.flush(at: now)
        let status = raft.status
        let peers = transport.peers
        leadershipLog.note(status)
        let turn = host.turn(
            TurnView(
                now: .now(), raft: status, connected: peers.filter(\.isConnected).map(\.id),
                openedConnections: transport.openedCount))
        hostDeadline = turn.deadline
        // Before anything else happens: the host has begun to use what it does not lend any more.
        raft.lend(turn.lent, long: turn.long, at: now)
        raft.borrow(turn.wish, at: now)
        hasMore = hasMore || raft.hasNews
        publish(RaftStatus(at: now, raft: status, transport: peers))
    }

    private func armTimer() {
        let deadline = nextDeadline
        // Deadlines move on with every message. Waking up in vain now and then is cheaper than to follow each move.
        if let armedFor, armedFor <= deadline { return }
        timer.arm(at: deadline)
        armedFor = deadline
    }

    private var nextDeadline: Instant {
        if hasMore { return now }
        var deadline = min(raft.nextDeadline, transport.nextDeadline, hostDeadline)
        deadline = min(deadline, proposals.nextDeadline, reads.nextDeadline, writes.nextDeadline)
        return min(deadline, endsAt ?? .distantFuture)
    }

    private var isOver: Bool {
        if isBeingSuspended && !hasFailed { return !hasMore && !snapshots.isUnderWay }
        guard let endsAt else { return false }
        return endsAt <= now || raft.status.role != .leader
    }

    /// The node can not go on: it gives up leadership, tells the others so where it can, and ends.
    func fail(_ error: RaftNodeError) {
        guard failure == nil else { return }
        Log.error("raft: this node stops: \(error)", [.event("node-failed"), .error("\(error)")])
        failure = error
        endsAt = now + options.timing.electionMinimum
        raft.stepDown(at: now)
    }

    var hasFailed: Bool { failure != nil }

    private func shutDown() {
        if isBeingSuspended && !hasFailed { return suspend() }
        if let lease = raft.status.lease { host.surrendered(lease: lease.term) }
        proposals.failAll(.stopping)
        reads.failAll(.stopping)
        disk.stop()
        resolver.stop()
    }

    /// Leaves everything as it is, on the disk and in the hands of the host.
    private func suspend() {
        proposals.failAll(.stopping)
        reads.failAll(.stopping)
        disk.stop()
        resolver.stop()
        for arrival in arrivals.drain() { take(arrival) }
        if !hasFailed { continuation = raft.continuation }
    }

    private func stop(graceful: Bool) {
        endsAt = graceful ? now + Self.gracefulStopTime : now
        guard graceful else { return }
        do throws(TransferRefusal) { try raft.transferLeadership(to: nil, at: now) } catch { raft.stepDown(at: now) }
    }

    private func take(_ request: RaftNode<Host>.Request) {
        switch request {
        case .propose(let command, let deadline, let completion):
            guard let id = proposals.add(command, deadline: deadline, completion) else {
                return completion(.failure(.overloaded))
            }
            raft.propose(id, command, at: now)
        case .read(let deadline, let completion):
            guard let id = reads.add(deadline: deadline, again: readAgainAt, completion) else {
                return completion(.failure(.overloaded))
            }
            raft.read(id, at: now)
        case .perform(let body): body(host)
        case .publish(let info): transport.publish(info: info)
        case .note(let note, let peer): transport.send(note: note, to: peer)
        case .connect(let peers, let removed): transport.connect(to: peers, removed: removed)
        case .leaseWithdrawn(let term): raft.leaseWithdrawn(term, at: now)
        case .leaderReleased(let node, let term, let processGone):
            raft.leaderReleased(term, by: node, processGone: processGone, at: now)
        case .borrowerGone(let node, let boot): raft.borrowerGone(node, boot: boot, at: now)
        case .stepDown: raft.stepDown(at: now)
        case .spare(let nodes): raft.spare(nodes)
        case .prepareToPause: raft.prepareToPause(at: now)
        case .suspend: isBeingSuspended = true
        case .transfer(let target, let completion):
            do throws(TransferRefusal) {
                try raft.transferLeadership(to: target, at: now)
                completion(nil)
            } catch { completion(error) }
        case .change(let change, let completion):
            do throws(MembershipRefusal) {
                try raft.changeMembership(change, at: now)
                completion(nil)
            } catch { completion(error) }
        case .stop(let graceful): stop(graceful: graceful)
        }
    }

    private func take(_ arrival: Arrival) {
        switch arrival {
        case .resolved(let answer): transport.resolved(answer, at: now)
        case .disk(.written(let ticket)):
            writes.finished(through: ticket)
            raft.persisted(ticket, at: now)
        case .disk(.snapshotSaved(let snapshot)):
            snapshots.saved()
            raft.snapshotTaken(snapshot, at: now)
            submit(.forget(before: snapshot.index))
        case .disk(.failed(let error)): fail(.storage(error))
        }
    }

    private func takeTransportEvents() {
        let events = transport.takeEvents()
        if events.isEmpty { return }
        now = Instant.now()
        for event in events {
            switch event {
            case .message(let message, let sender):
                raft.step(message, from: sender, at: now)
                if case .heartbeatReply(let reply) = message, reply.term == raft.term {
                    times.note(reply.stamp, answeredBy: sender, at: now)
                }
            case .info(let info, let sender): host.received(info: info, from: sender, at: now)
            case .note(let note, let sender): host.received(note: note, from: sender)
            case .processGone(let node): raft.leaderProcessGone(node, at: now)
            case .removed: fail(.removed)
            case .met(let registry): submit(.peers(registry))
            }
        }
    }

    /// Whatever falls due by the clock alone.
    private func watchTime() {
        if raft.nextDeadline <= now { raft.tick(at: now) }
        for due in proposals.takeDue(at: now) { raft.propose(due.id, due.command, at: now) }
        for id in reads.takeDue(at: now, again: readAgainAt) { raft.read(id, at: now) }
        if let waited = writes.noticeStall(at: now) {
            Log.warning(
                "raft: the disk has not finished a write for \(waited); this node does not lead with it",
                [.event("disk-stalled")])
            raft.stepDown(at: now)
        }
    }

    /// By then the answer to a read that is on its way must have been lost.
    private var readAgainAt: Instant { now + options.timing.electionMaximum }
}
