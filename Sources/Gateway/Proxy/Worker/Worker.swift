import CLinux
import Posix

/// One thread of the data path: takes completions from its engine and carries clients' exchanges forward.
///
/// Everything here is this thread's own; other threads see only the `WorkerHandle`. What follows an event is decided
/// by `Exchange`; the extensions of this type carry it out.
struct Worker<E: Engine & ~Copyable>: ~Copyable {
    let handle: WorkerHandle
    /// All workers of the pool, this one included.
    let peers: [WorkerHandle]
    let counters: UnsafeMutablePointer<WorkerCounters>
    /// Where it counts for an upstream.
    let index: Int
    let options: ProxyOptions
    let admission: ClientAdmission
    var accessLog: AccessLogger
    var engine: TransportEngine<E>
    var clients: Slab<ClientConnection>
    var upstreams: Slab<UpstreamConnection>
    var pool: UpstreamPool
    var timers: TimerWheel
    var tables: AdoptedTables
    /// Requests that may have to be sent again.
    var keptRequests: BufferPool
    let fields = FieldTable()
    /// Where heads for backends are written, as long as they may be.
    let headBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: BufferPool.smallCapacity, alignment: 64)
    /// For responses of our own.
    let answerBuffer: UnsafeMutableRawBufferPointer
    /// For responses without a Date field; renewed once a second.
    var date = HTTPDate(.now())
    var dateUntil = Instant.zero
    var random: RandomSource
    var traceRandom: TraceRandom
    /// Read once a turn.
    var now: Instant
    var listeners = WorkerListeners()
    var introductionPace = LogPace()
    /// The addresses whose clients are to connect anew.
    var retiring: Set<IPAddress> = []
    /// The clients that are to go on elsewhere; nil mostly.
    var departure: DepartingConnections?
    /// They are let go of now.
    var isDeparting = false
    /// Nil where the guard takes no connections.
    var custody: WorkerCustody?
    /// When connections are looked at for it.
    var nextCustodyLook = Instant.distantFuture
    /// Since the last turn a connection was made or a request begun.
    var hasUnsettled = false
    /// Nil where other nodes are told nothing of connections.
    var sharing: WorkerSharing?
    var isDraining = false
    var drainDeadline = Instant.distantFuture

    init(
        handle: WorkerHandle, peers: [WorkerHandle], options: ProxyOptions, table: RoutingTable,
        admission: ClientAdmission,
        accessLog: AccessLogQueue?, seed: UInt64
    ) throws(SystemError) {
        self.handle = handle
        self.peers = peers
        self.options = options
        self.admission = admission
        self.accessLog = AccessLogger(accessLog, options.accessLog?.content ?? .standard, seed: mix(seed))
        counters = handle.counters
        index = handle.index
        let limits = options.limits
        let capacity = limits.clients + limits.upstreamConnections
        clients = Slab(firstIndex: 0, capacity: limits.clients)
        upstreams = Slab(firstIndex: UInt32(limits.clients), capacity: limits.upstreamConnections)
        pool = UpstreamPool(limit: limits.idlePerBackend)
        pool.adopt(table)
        tables = AdoptedTables(table)
        now = .now()
        timers = TimerWheel(capacity: capacity, now: now)
        if let custody = options.custody {
            self.custody = WorkerCustody(custody, worker: handle.index, of: options.workers)
            nextCustodyLook = now
        }
        if let sharing = options.sharing {
            self.sharing = WorkerSharing(sharing, worker: handle.index, of: options.workers, at: now)
        }
        keptRequests = BufferPool(options.memory)
        answerBuffer = .allocate(
            byteCount: OwnResponse.maximumBytes + BufferPool.smallCapacity, alignment: 64)
        random = RandomSource(seed: seed)
        traceRandom = TraceRandom(highSeed: .random(in: 0 ... .max), lowSeed: .random(in: 0 ... .max))
        engine = try TransportEngine<E>(
            capacity: capacity, clients: limits.clients, wake: handle.mailbox.descriptor, memory: options.memory,
            counters: counters)
    }

    deinit {
        headBuffer.deallocate()
        answerBuffer.deallocate()
        listeners.closeAll()
        // Only connections that a drain's deadline cut off still hold a request.
        for index in clients.touchedSlots {
            clients[Slot(index)].pointee.kept.base?.deallocate()
            clients[Slot(index)].pointee.logEntry?.deallocate()
        }
    }

    /// Of new requests.
    @inline(__always)
    var clientTimeouts: ClientTimeouts { tables.current.pointee.clients.timeouts }

    /// Serves until drained.
    mutating func run() {
        while !isFinished {
            do {
                try engine.wait(until: nextDeadline, now: now)
            } catch {
                Log.error("proxy: a worker ends, its events can not be waited for: \(error)")
                return
            }
            now = .now()
            renewDate()
            while let completion = engine.next() { take(completion) }
            expireTimers()
            if custody != nil { entrustResting() }
            if sharing != nil { shareResting() }
        }
        engine.stop()
    }

    @inline(__always)
    private mutating func renewDate() {
        guard now >= dateUntil else { return }
        date = HTTPDate(.now())
        dateUntil = now + .seconds(1)
    }

    private var isFinished: Bool { isDraining && (clients.count == 0 || now >= drainDeadline) }

    private var nextDeadline: Instant {
        var deadline = min(timers.nextDeadline(), listeners.resumeAt)
        if isDraining { deadline = min(deadline, drainDeadline) }
        if let look = sharing?.nextLook, clients.count > 0 { deadline = min(deadline, look) }
        return min(deadline, nextCustodyLook)
    }

    @inline(__always)
    private mutating func take(_ completion: Completion) {
        switch completion {
        case .received(let slot, let bytes):
            if clients.contains(slot) { clientReceived(slot, bytes) } else { upstreamReceived(slot, bytes) }
        case .receivedEnd(let slot):
            if clients.contains(slot) { clientEnded(slot) } else { upstreamEnded(slot, isLost: false) }
        case .receiveFailed(let slot, _):
            if clients.contains(slot) { clientLost(slot) } else { upstreamEnded(slot, isLost: true) }
        case .reset(let slot):
            // A backend's last words are read first; the receive that follows them reports the loss.
            if clients.contains(slot) { clientLost(slot) }
        case .sent(let slot):
            if clients.contains(slot) { clientSent(slot) } else { upstreamSent(slot) }
        case .sendFailed(let slot, _):
            if clients.contains(slot) { clientLost(slot) } else { upstreamSendFailed(slot) }
        case .spliced(let slot): spliceEnded(slot)
        case .connected(let slot): upstreamConnected(slot)
        case .connectFailed(let slot, let code): upstreamConnectFailed(slot, code)
        case .closed(let slot):
            if clients.contains(slot) { clientClosed(slot) } else { upstreamClosed(slot) }
        case .detached(let slot): detached(slot)
        case .accepted(let listener, let descriptor, let peer): accepted(descriptor, on: listener, from: peer)
        case .acceptFailed(let listener, let code): acceptFailed(listener, code)
        case .acceptFinished(let listener): closeListener(listener)
        case .woken: takeCommands()
        }
    }
}
