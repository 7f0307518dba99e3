import CLinux
import Posix
import Synchronization

extension Worker where E: ~Copyable {
    mutating func takeCommands() {
        for command in handle.mailbox.drain() {
            switch command {
            case .publish(let table): adopt(table)
            case .addListener(let listener, let descriptor, let terms): addListener(listener, descriptor, terms)
            case .setTerms(let listener, let terms): listeners.setTerms(listener, terms)
            case .removeListener(let listener): abandon(listener)
            case .finishListener(let listener): if listeners.contains(listener) { engine.finishAccepting(on: listener) }
            case .retire(let addresses, let endsIdle): retire(addresses, endsIdle: endsIdle)
            case .announce(let departing): announce(departing)
            case .depart(let departing): depart(departing)
            case .stayed: stayed()
            case .takeIn(let connections): takeIn(connections)
            case .handOver(let departing, let deadline): handOver(departing, until: deadline)
            case .forsake(let addresses): forsake(addresses)
            case .drain(let deadline): drain(until: deadline)
            case .serve(let waiter, let upstream): serveWaiting(waiter, upstream)
            }
        }
        reportOldestTable()
    }

    private mutating func adopt(_ table: RoutingTable) {
        tables.adopt(table)
        pool.adopt(table)
        while let slot = pool.takeForeign(from: upstreams) { closeUpstream(slot) }
    }

    func reportOldestTable() {
        handle.oldestGeneration.store(tables.oldestGeneration, ordering: .releasing)
    }

    private mutating func drain(until deadline: Instant) {
        isDraining = true
        drainDeadline = deadline
        for listener in listeners.all { closeListener(listener) }
        for index in clients.touchedSlots where clients[Slot(index)].pointee.isServed {
            report(.drain, Slot(index))
        }
    }

    private mutating func retire(_ addresses: Set<IPAddress>, endsIdle: Bool) {
        retiring = addresses
        if addresses.isEmpty { return }
        for index in clients.touchedSlots where clients[Slot(index)].pointee.isServed {
            guard let own = engine.localAddress(Slot(index)), addresses.contains(own.ip) else { continue }
            if !endsIdle {
                clients[Slot(index)].pointee.exchange.endAfterNextResponse()
            } else if clients[Slot(index)].pointee.exchange.isTunnel {
                report(.timeout(.tunnel), Slot(index))
            } else if !clients[Slot(index)].pointee.isLate {
                // The request of a late one is on its way; it ends with the answer.
                report(.drain, Slot(index))
            }
        }
    }

    // Listeners.

    private mutating func addListener(_ listener: ListenerID, _ descriptor: Int32, _ terms: ListenerTerms) {
        listeners.add(listener, descriptor: descriptor)
        listeners.setTerms(listener, terms)
        do {
            try engine.accept(on: listener, descriptor: descriptor)
        } catch {
            Log.error("proxy: a worker can not accept connections: \(error)")
            listeners.close(listener)
        }
        if isDraining { closeListener(listener) }
    }

    /// The address is given up: whoever is connected to it is to find its next holder. Idle connections close, others
    /// with the response under way.
    private mutating func abandon(_ listener: ListenerID) {
        closeListener(listener)
        for index in clients.touchedSlots {
            let client = clients[Slot(index)]
            guard client.pointee.listener == listener, client.pointee.isServed else { continue }
            report(.drain, Slot(index))
        }
    }

    mutating func closeListener(_ listener: ListenerID) {
        guard listeners.contains(listener) else { return }
        engine.removeListener(listener)
        listeners.close(listener)
    }

    mutating func accepted(_ descriptor: Int32, on listener: ListenerID, from peer: SocketAddress) {
        let terms = listeners.terms(listener)
        if isDeparting, terms.arePortable, leavesAtOnce(descriptor) { return }
        if !terms.believe(peer.ip) { return refuseIntroduction(.untrustedSource, descriptor, from: peer) }
        guard let slot = enter(descriptor, by: terms, on: listener, from: peer) else { return }
        if terms.proxies.isEmpty { awaitFirstRequest(slot) } else { awaitIntroduction(slot) }
    }

    mutating func awaitFirstRequest(_ slot: Slot) {
        // Whoever connects and says nothing, or does not finish a handshake, is closed as silently as an idle connection.
        setTimer(.keepAlive, slot, clientTimeouts.requestHead)
        engine.receive(slot, limit: Scratch.headCapacity)
    }

    /// Gives a client's connection a slot; nil when it has none, and was refused.
    mutating func enter(
        _ descriptor: Int32, by terms: ListenerTerms, on listener: ListenerID, from peer: SocketAddress
    ) -> Slot? {
        guard admission.enter() else {
            refuse(descriptor)
            return nil
        }
        var client = ClientConnection(peer: peer, listener: listener)
        client.isSecure = terms.server != nil
        client.redirectPort = terms.redirectPort
        client.isPortable = terms.arePortable
        // A proxy's connection counts for the client that it names.
        if !terms.proxies.isEmpty {
            client.state = .introducing
        } else if !countPeer(of: &client) {
            admission.leave()
            refuse(descriptor)
            return nil
        }
        if isLate(descriptor) {
            client.isLate = true
            client.exchange.endAfterNextResponse()
        }
        guard let slot = clients.insert(client) else { preconditionFailure("every admitted client has a place") }
        hasUnsettled = true
        do {
            try engine.adopt(descriptor, as: slot)
        } catch {
            leave(clients[slot])
            clients.remove(slot)
            counters.pointee.connectionsRefused.increase()
            return nil
        }
        if let server = terms.server, terms.proxies.isEmpty { engine.secure(slot, with: server, peer: peer) }
        counters.pointee.connectionsAccepted.increase()
        counters.pointee.clientConnections.change(by: 1)
        return slot
    }

    /// Its address is on the way to another node, and it can not go there.
    private func isLate(_ descriptor: Int32) -> Bool {
        guard !retiring.isEmpty || isDeparting, let own = Socket.localAddress(of: descriptor)?.ip else { return false }
        return retiring.contains(own) || (isDeparting && departure?.addresses.contains(own) == true)
    }

    /// Counts the connection for its peer's address; false when that has as many as it may. A trusted proxy's connection
    /// counts for none of its clients; its requests do.
    func countPeer(of client: inout ClientConnection) -> Bool {
        let terms = tables.current.pointee.clients
        if terms.trustedField(of: client.peer.ip) != nil { return true }
        client.isPeerCounted = admission.enter(from: client.peer.ip, limit: terms.connectionsPerAddress)
        return client.isPeerCounted
    }

    func leave(_ client: UnsafeMutablePointer<ClientConnection>) {
        admission.leave()
        if client.pointee.isPeerCounted { admission.leave(from: client.pointee.peer.ip) }
    }

    func refuse(_ descriptor: Int32) {
        counters.pointee.connectionsRefused.increase()
        Socket.resetWhenClosed(descriptor)
        close(descriptor)
    }

    /// Running out of descriptors or memory passes; the end of a listener is followed by the command to close it.
    mutating func acceptFailed(_ listener: ListenerID, _ code: Int32) {
        engine.pauseAccepting(on: listener)
        switch code {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            if listeners.resumeAt == .distantFuture {
                Log.warning("proxy: no connection can be accepted for now: \(SystemError.message(for: code))")
            }
            listeners.pause(listener, until: now + options.pauses.accept)
        default: break
        }
    }

    mutating func resumeListeners() {
        for listener in listeners.takeResumable(now: now) { engine.resumeAccepting(on: listener) }
    }
}
