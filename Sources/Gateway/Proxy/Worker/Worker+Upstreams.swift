import CLinux
import Posix
import Synchronization
import TLS

/// Backends: choosing, connecting, losing and keeping them.
extension Worker where E: ~Copyable {
    @inline(__always)
    func isServing(_ slot: Slot) -> Bool { slot != .none && upstreams[slot].pointee.state == .serving }

    /// Finds a backend for the client's request and a connection to it.
    mutating func connect(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        guard let route = client.pointee.route else { return report(.unroutable, slot) }
        guard takeRoom(slot, client, route) else { return }
        let isHashed = route.pointee.algorithm == .ipHash
        let hash = isHashed ? StableHash.hash(client.pointee.address) : 0
        while true {
            let choice = route.pointee.pick(
                preferred: client.pointee.stickyBackend, clientHash: hash, random: &random, tried: client.pointee.tried,
                now: now)
            guard let choice else { return lacksBackend(slot, client, route) }
            let counters = route.pointee.backends[Int(choice)].counters
            let active = counters.pointee.activeRequests.add(1, ordering: .relaxed).newValue
            if active <= route.pointee.roomPerBackend { return attempt(choice, slot, client, route) }
            // Another worker took the last room.
            counters.pointee.activeRequests.subtract(1, ordering: .relaxed)
        }
    }

    /// Sends the request to a backend at which it is counted.
    @inline(__always)
    private mutating func attempt(
        _ choice: Int32, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>,
        _ route: UnsafePointer<UpstreamTable>
    ) {
        endWait(client)
        if client.pointee.exchange.retries > 0 { countRetry(at: route) }
        client.pointee.attempts += 1
        client.pointee.attemptedAt = now
        client.pointee.backendIndex = choice
        let backend = route.pointee.backends[Int(choice)]
        client.pointee.logEntry?.pointee.backend = backend.address
        backend.counters.pointee.requests.add(1, ordering: .relaxed)
        if !client.pointee.needsFreshConnection, let pooled = pool.take(backend, from: upstreams) {
            serve(pooled, slot, isReused: true)
            report(.connected, slot)
        } else {
            open(backend, route.pointee.timeouts.connect, slot, client)
        }
    }

    private mutating func open(
        _ backend: BackendSlot, _ timeout: Nanoseconds, _ slot: Slot,
        _ client: UnsafeMutablePointer<ClientConnection>
    ) {
        do throws(SystemError) {
            guard let upstream = try dial(backend, timeout, for: slot) else { return report(.connectFailed, slot) }
            client.pointee.upstream = upstream
        } catch {
            failConnect(slot, error.code)
        }
    }

    /// Begins to connect to a backend for a client; nil when there are as many connections as there may be.
    mutating func dial(_ backend: BackendSlot, _ timeout: Nanoseconds, for slot: Slot) throws(SystemError) -> Slot? {
        guard let upstream = upstreams.insert(UpstreamConnection(to: backend)) else { return nil }
        do throws(SystemError) {
            try engine.connect(upstream, to: backend.address)
        } catch {
            upstreams.remove(upstream)
            throw error
        }
        if let security = backend.security {
            engine.secure(
                upstream, dialling: security.takeUnretainedValue(), at: backend.address,
                after: introduction(of: clients[slot], slot), resuming: pool.session(of: backend))
        }
        counters.pointee.upstreamConnects.increase()
        counters.pointee.upstreamConnections.change(by: 1)
        upstreams[upstream].pointee.client = slot
        setTimer(.connect, upstream: upstream, timeout)
        return upstream
    }

    /// Whether a connect failed for want of something on this side.
    func isOwnShortage(_ code: Int32) -> Bool {
        switch code {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL: true
        default: false
        }
    }

    /// Ties a connection to the client's exchange.
    private mutating func serve(_ slot: Slot, _ clientSlot: Slot, isReused: Bool) {
        let (upstream, client) = (upstreams[slot], clients[clientSlot])
        upstream.pointee.beginExchange(.serving)
        upstream.pointee.client = clientSlot
        upstream.pointee.isReused = isReused
        upstream.pointee.wireBytesBefore = engine.wireBytes(slot, of: upstream.pointee.sentBytes)
        client.pointee.upstream = slot
    }

    mutating func upstreamConnected(_ slot: Slot) {
        if upstreams[slot].pointee.state == .connectingSecond { return secondConnected(slot) }
        let client = upstreams[slot].pointee.client
        guard introduce(clients[client], to: slot, for: client) else { return failConnect(client, ENOBUFS) }
        serve(slot, client, isReused: false)
        report(.connected, client)
    }

    mutating func upstreamConnectFailed(_ slot: Slot, _ code: Int32) {
        let (upstream, fault) = (upstreams[slot], engine.serverFault(slot))
        let client = upstream.pointee.client
        if let fault { tell(fault, upstream.pointee.address, client) }
        if upstream.pointee.state == .connectingSecond {
            let reached: PassiveFailure? = isOwnShortage(code) ? nil : .connect(code)
            return secondFailed(slot, fault.map { .notSecured($0) } ?? reached)
        }
        guard let fault else { return failConnect(client, code) }
        noteFailure(.notSecured(fault), of: client)
        failAttempt(.connectFailed, client, cost: .none)
    }

    /// No secured connection came about.
    private mutating func tell(_ fault: ServerFault, _ address: SocketAddress, _ client: Slot) {
        engine.handshakes.note(fault, of: address, upstream: upstreamName(of: clients[client]))
    }

    mutating func failureAtConnectTimeout(
        _ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>
    ) -> PassiveFailure {
        guard engine.isShakingHands(slot) else { return .connectTimedOut }
        tell(.timedOut, upstream.pointee.address, upstream.pointee.client)
        return .notSecured(.timedOut)
    }

    /// Why a new connection ended without a word of the backend.
    private mutating func failureAtEnd(_ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>)
        -> PassiveFailure
    {
        guard let fault = engine.serverFault(slot) else { return .closedBeforeReply }
        tell(fault, upstream.pointee.address, upstream.pointee.client)
        return .notSecured(fault)
    }

    private mutating func failConnect(_ client: Slot, _ code: Int32) {
        if !isOwnShortage(code) { noteFailure(.connect(code), of: client) }
        failAttempt(.connectFailed, client, cost: .none)
    }

    /// The backend closed (`isLost`: reset) the connection, and everything it sent before has been read.
    mutating func upstreamEnded(_ slot: Slot, isLost: Bool) {
        let upstream = upstreams[slot]
        switch upstream.pointee.state {
        case .idle:
            pool.remove(slot, from: upstreams)
            closeUpstream(slot)
        case .serving:
            let clientSlot = upstream.pointee.client
            // Whoever can cut a connection could otherwise pass a part of a body off as all of it.
            let isLost = isLost || (upstream.pointee.body.isUntilClose && engine.isCutOff(slot))
            let delivery = delivery(slot, upstream)
            let event: ExchangeEvent = isLost ? .upstreamLost(delivery) : .upstreamEnd(delivery)
            let cost: ClientConnection.RetryCost = delivery == .possible ? .due : .none
            if upstream.pointee.hasReplied { return report(event, clientSlot) }
            if !upstream.pointee.isReused { noteFailure(failureAtEnd(slot, upstream), of: clientSlot) }
            if secondStandsIn(clientSlot, clients[clientSlot]) { return }
            if upstream.pointee.isReused {
                // Not the backend's fault: the next attempt may go to it again.
                let client = clients[clientSlot]
                client.pointee.needsFreshConnection = true
                client.pointee.attempts -= 1
                client.pointee.retryCost = cost
                report(event, clientSlot)
            } else {
                failAttempt(event, clientSlot, cost: cost)
            }
        case .racing: secondFailed(slot, upstream.pointee.isReused ? nil : failureAtEnd(slot, upstream))
        case .connecting, .connectingSecond, .closed: break
        }
    }

    /// How far the request got: the kernel knows what was acknowledged.
    private func delivery(_ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>) -> Delivery {
        if upstream.pointee.sentBytes == upstream.pointee.sentBytesBefore { return .unsent }
        return engine.acknowledgedBytes(slot) <= upstream.pointee.wireBytesBefore ? .unacknowledged : .possible
    }

    /// The attempt at the present backend failed through a fault of its own: it is not tried again.
    mutating func failAttempt(_ event: ExchangeEvent, _ slot: Slot, cost: ClientConnection.RetryCost) {
        let client = clients[slot]
        client.pointee.retryCost = cost
        client.pointee.tried.insert(client.pointee.backendIndex)
        report(event, slot)
    }

    mutating func upstreamSent(_ slot: Slot) {
        let upstream = upstreams[slot]
        guard upstream.pointee.state == .serving else { return }
        let client = clients[upstream.pointee.client]
        if client.pointee.exchange.isTunnel {
            engine.receive(upstream.pointee.client, limit: Scratch.capacity)
            return
        }
        awaitResponse(slot, upstream, client)
        continueRequest(upstream.pointee.client, client)
    }

    /// The receive that is under way brings the backend's last words and then reports the loss.
    mutating func upstreamSendFailed(_ slot: Slot) {
        let upstream = upstreams[slot]
        upstream.pointee.isSendBroken = true
    }

    mutating func keepUpstream(of client: UnsafeMutablePointer<ClientConnection>) {
        let slot = client.pointee.upstream
        let timeouts = client.pointee.route?.pointee.timeouts ?? .standard
        release(client)
        if isDraining || !pool.put(slot, into: upstreams) { return closeUpstream(slot) }
        let upstream = upstreams[slot]
        upstream.pointee.state = .idle
        upstream.pointee.client = .none
        keepSession(slot, upstream)
        setTimer(.idle, upstream: slot, timeouts.keepAlive)
        // Brings the end of the connection, or bytes that nobody asked for; either closes it.
        engine.receive(slot, limit: Scratch.headCapacity)
    }

    mutating func discardUpstream(of client: UnsafeMutablePointer<ClientConnection>) {
        let slot = client.pointee.upstream
        release(client)
        guard slot != .none else { return }
        let unspliced = engine.unsplicedBytes(slot)
        if unspliced > 0 { client.pointee.logEntry?.pointee.bytes += upstreams[slot].pointee.spliced - unspliced }
        closeUpstream(slot)
    }

    /// Ends the client's claim on its backend.
    private mutating func release(_ client: UnsafeMutablePointer<ClientConnection>) {
        if let backend = client.pointee.backend {
            backend.pointee.counters.pointee.activeRequests.subtract(1, ordering: .releasing)
        }
        client.pointee.backendIndex = -1
        client.pointee.upstream = .none
        giveBackRoom(client)
    }

    /// Keeps what the backend gave to be resumed, once a connection.
    @inline(__always)
    private mutating func keepSession(_ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>) {
        guard upstream.pointee.security != nil, !upstream.pointee.hasGivenSession,
            let session = engine.takeSession(slot)
        else { return }
        upstream.pointee.hasGivenSession = true
        pool.keep(session, of: upstream)
    }

    mutating func closeUpstream(_ slot: Slot) {
        let upstream = upstreams[slot]
        keepSession(slot, upstream)
        upstream.pointee.state = .closed
        upstream.pointee.timer = .none
        upstream.pointee.client = .none
        engine.close(slot, .orderly)
    }

    mutating func upstreamClosed(_ slot: Slot) {
        timers.cancel(slot)
        upstreams.remove(slot)
        counters.pointee.upstreamConnections.change(by: -1)
    }
}

extension PassiveFailure {
    /// Of a connect, by its errno.
    static func connect(_ code: Int32) -> PassiveFailure {
        code == ECONNREFUSED ? .connectRefused : .connectFailed(errno: code)
    }
}
