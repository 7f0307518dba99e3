import CLinux
import Glibc
import Posix
import Synchronization

/// The data path of a node: a fixed number of worker threads, each with its own sockets, connections and pools.
///
/// All methods may be called from any thread.
package final class WorkerPool: Sendable {
    struct State {
        /// By listener, the sockets of all workers; empty when the number is free.
        var listeners = [[Int32]](repeating: [], count: ListenerID.maximum)
        /// Their addresses.
        var addresses = [SocketAddress?](repeating: nil, count: ListenerID.maximum)
        var plan = ListenerTermsPlan()
        var nextListener = 0
        var threads: [Thread] = []
        var isStopping = false
        /// Another process of this machine serves new clients.
        var isHandedOver = false
        /// Listening sockets of a former process, until they are asked for.
        var inherited: [SocketAddress: [Int32]] = [:]
    }

    let workers: [WorkerHandle]
    /// The one that the workers use; not `auto`.
    package let engine: EngineChoice
    private let backlog: Int32
    private let accessLog: AccessLog?
    package let moves = MoveTally()
    package let rebuilds = RebuildTally()
    private let sharing: ConnectionSharing?
    let state = Mutex(State())

    /// Starts the threads.
    package init(_ options: ProxyOptions, table: RoutingTable) throws(SystemError) {
        var handles: [WorkerHandle] = []
        precondition(table.workers >= options.workers, "every worker has a place to count at")
        for index in 0..<options.workers { handles.append(try WorkerHandle(index: index)) }
        workers = handles
        backlog = options.limits.backlog
        sharing = options.sharing
        if let log = options.accessLog {
            accessLog = try AccessLog(log, workers: options.workers)
        } else {
            accessLog = nil
        }
        let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let admission = ClientAdmission(limit: options.limits.clients, seed: .random(in: 0 ... .max))
        engine = try options.engine.resolved()
        for (index, handle) in handles.enumerated() {
            handle.oldestGeneration.store(table.generation, ordering: .relaxed)
            let processor = options.pinsWorkers ? Int32(index % processors) : nil
            let start = WorkerStart(
                handle: handle, peers: handles, options: options, table: table, admission: admission,
                accessLog: accessLog?.queues[index])
            let answer = try WorkerAnswer()
            let engine = engine
            let thread = try Thread(name: "\(options.threadName)-\(index)") {
                if let processor { _ = clinux_pin_thread(processor) }
                switch engine {
                case .ioUring: start.run(RingEngine.self, answer)
                case .epoll, .auto: start.run(EpollEngine.self, answer)
                }
            }
            state.withLock { $0.threads.append(thread) }
            if let error = answer.wait() {
                stop()
                throw error
            }
        }
        Log.info(
            "proxy: \(options.workers) workers, engine \(engine.rawValue)",
            [.event("workers-started"), .workers(options.workers), .engine(engine.rawValue)])
    }

    /// Routes new requests by `table`; requests under way keep theirs.
    package func publish(_ table: RoutingTable) {
        precondition(table.workers >= workers.count, "every worker has a place to count at")
        post(.publish(table))
    }

    /// The generation of the oldest routing table that a request or a worker still uses, for `RoutingTable.init`.
    package var oldestAdoptedGeneration: UInt64 {
        workers.reduce(UInt64.max) { min($0, $1.oldestGeneration.load(ordering: .acquiring)) }
    }

    /// Listens on `address` with one socket a worker; the kernel spreads connections over them.
    /// - Returns: the listener and the address it has, with the port the kernel chose if that was 0.
    package func addListener(
        _ address: SocketAddress, options: Socket.ListenOptions = []
    ) throws(SystemError) -> (ListenerID, SocketAddress) {
        guard let terms = state.withLock({ $0.plan.terms(at: address) }) else {
            throw SystemError("listen on", "\(address): no certificate of its own can be used", code: ENOKEY)
        }
        let (descriptors, bound) = try openSockets(address, options.union(.sharedPort))
        let id = state.withLock { state -> ListenerID? in
            guard !state.isStopping, !state.isHandedOver, let id = state.freeListener() else { return nil }
            state.listeners[id.value] = descriptors
            state.addresses[id.value] = address
            // Posted under the lock, so that no removal can overtake it.
            for (worker, descriptor) in zip(workers, descriptors) {
                post(.addListener(id, descriptor: descriptor, terms), to: worker)
            }
            return id
        }
        guard let id else {
            for descriptor in descriptors { close(descriptor) }
            throw SystemError("listen on", "\(address): at most \(ListenerID.maximum) listeners", code: EMFILE)
        }
        return (id, bound)
    }

    /// How clients are served that connect from now on, at the addresses that are there and those that are added.
    package func setTerms(_ plan: ListenerTermsPlan) {
        state.withLock { state in
            state.plan = plan
            for index in state.listeners.indices where !state.listeners[index].isEmpty {
                guard let address = state.addresses[index], let terms = plan.terms(at: address) else { continue }
                post(.setTerms(ListenerID(index), terms))
            }
        }
    }

    /// Stops listening.
    ///
    /// When this returns no new connection can be made, however busy the workers are. Connections that were made
    /// close when they are idle, else with the response under way: their clients are to find the next holder of the
    /// address. With `acceptsWaiting` each worker first takes the connections that the kernel has completed, and all
    /// that were made stay.
    package func removeListener(_ id: ListenerID, acceptsWaiting: Bool = false) {
        state.withLock { state in
            let descriptors = state.listeners[id.value]
            guard !descriptors.isEmpty, !state.isStopping, !state.isHandedOver else { return }
            state.listeners[id.value] = []
            if !acceptsWaiting {
                // The workers close these descriptors only on the command below.
                for descriptor in descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
            }
            for worker in workers { post(acceptsWaiting ? .finishListener(id) : .removeListener(id), to: worker) }
        }
    }

    /// Prepares clients of `addresses`, and of no others any more, for a move of these: their next answers say
    /// `Connection: close`. With `endsIdle` connections without a request under way, and tunnels, end at once.
    package func retire(_ addresses: Set<IPAddress>, endsIdle: Bool) {
        post(.retire(addresses, endsIdle: endsIdle))
    }

    /// Has the workers count what is under way for clients of `addresses`, before these leave.
    package func announceDeparture(from addresses: Set<IPAddress>) -> DepartingConnections {
        let departing = DepartingConnections(addresses: addresses, workers: workers.count)
        post(.announce(departing))
        return departing
    }

    /// Lets the connections go that are between two requests, now and as they get there; the others are gathered when
    /// they do. Connections that were made and not accepted yet are gathered, too.
    package func depart(_ departing: DepartingConnections) { post(.depart(departing)) }

    /// Ends a departure, whether or not the connections have left.
    package func endDeparture() { post(.stayed) }

    /// Goes on with open connections, which the workers share.
    package func takeIn(_ connections: [ArrivingConnection]) {
        for (index, worker) in workers.enumerated() {
            let own = stride(from: index, to: connections.count, by: workers.count).map { connections[$0] }
            if !own.isEmpty { post(.takeIn(own), to: worker) }
        }
    }

    /// Drops all connections to `addresses`, which left this machine while it could not let go of them in order, as another
    /// one has gone on with them. Their clients notice nothing.
    package func forsake(_ addresses: Set<IPAddress>) { post(.forsake(addresses)) }

    /// Ends the workers: no connection is accepted any more, idle ones close, requests under way may finish until
    /// `deadline`. Returns when all threads have ended.
    package func stop(drainingUntil deadline: Instant = .zero) {
        let threads = state.withLock { state -> [Thread] in
            guard !state.isStopping else { return [] }
            state.isStopping = true
            for worker in workers { post(.drain(until: deadline), to: worker) }
            return state.threads
        }
        for thread in threads { thread.join() }
        accessLog?.stop()
    }

    /// Opens the file of the access log again, for whoever has renamed it.
    package func reopenAccessLog() { accessLog?.reopen() }

    package var statistics: ProxyStatistics {
        var total = ProxyStatistics()
        for worker in workers { worker.counters.pointee.add(to: &total) }
        total.accessLogDropped = accessLog?.droppedLines ?? 0
        moves.add(to: &total.moved)
        total.rebuilt = rebuilt
        return total
    }

    /// A part of the statistics, for those who ask often.
    package var moved: MovedConnections {
        var moved = MovedConnections()
        for worker in workers { worker.counters.pointee.add(to: &moved) }
        moves.add(to: &moved)
        return moved
    }

    /// Of machines that died.
    package var rebuilt: RebuiltConnections { rebuilds.counts(sharing) }

    /// The same for each worker by itself.
    package var statisticsByWorker: [ProxyStatistics] {
        workers.map { worker in
            var statistics = ProxyStatistics()
            worker.counters.pointee.add(to: &statistics)
            return statistics
        }
    }

    private func post(_ command: WorkerCommand) {
        for worker in workers { post(command, to: worker) }
    }

    func post(_ command: WorkerCommand, to worker: WorkerHandle) {
        if !worker.mailbox.post(command) { Log.error("proxy: a worker is stuck, its commands are not taken") }
    }

    private func openSockets(
        _ address: SocketAddress, _ options: Socket.ListenOptions
    ) throws(SystemError) -> ([Int32], SocketAddress) {
        var descriptors = takeInherited(address)
        var bound = address
        do {
            for _ in workers.dropFirst(descriptors.count) {
                let socket = try Socket.listen(on: bound, options: options, backlog: backlog)
                // Accepted connections inherit both.
                Socket.setNoDelay(socket.raw)
                Socket.limitUnsent(socket.raw)
                if bound.port == 0, let actual = Socket.localAddress(of: socket.raw) { bound.port = actual.port }
                descriptors.append(socket.take())
            }
        } catch {
            for descriptor in descriptors { close(descriptor) }
            throw error
        }
        return (descriptors, bound)
    }
}

extension WorkerPool.State {
    /// Numbers go round, so that one is not used again while a worker may still be finishing its listener.
    fileprivate mutating func freeListener() -> ListenerID? {
        for _ in 0..<ListenerID.maximum {
            let candidate = nextListener
            nextListener = (nextListener + 1) % ListenerID.maximum
            if listeners[candidate].isEmpty { return ListenerID(candidate) }
        }
        return nil
    }
}
