import Glibc
import Posix

/// Open connections that leave this worker, to go on elsewhere, and those that come so.
extension Worker where E: ~Copyable {
    /// Marks the requests that are under way, so that their ends can be awaited. Plain clients notice nothing; those that
    /// can not go along are told with their next answer that the connection ends.
    mutating func announce(_ departing: DepartingConnections) {
        departure = departing
        isDeparting = false
        var requests = 0
        for index in clients.touchedSlots {
            let client = clients[Slot(index)]
            client.pointee.isAwaited = false
            guard client.pointee.isServed, belongs(Slot(index), to: departing) else { continue }
            if !client.pointee.isPortable { client.pointee.exchange.endAfterNextResponse() }
            if client.pointee.exchange.isIdle || client.pointee.exchange.isTunnel { continue }
            client.pointee.isAwaited = true
            requests += 1
        }
        departing.await(requests)
    }

    /// Lets go of all connections between two requests, now and as they get there. Tunnels end, for their other end is
    /// here, and so do connections of which the next node would not know all.
    mutating func depart(_ departing: DepartingConnections) {
        departure = departing
        isDeparting = true
        for index in clients.touchedSlots {
            let (slot, client) = (Slot(index), clients[Slot(index)])
            guard client.pointee.isServed, belongs(slot, to: departing) else { continue }
            if client.pointee.exchange.isTunnel, departing.areHandedOver {
                continue
            } else if !client.pointee.isPortable, departing.areHandedOver {
                client.pointee.exchange.endAfterNextResponse()
            } else if client.pointee.exchange.isTunnel {
                report(.timeout(.tunnel), slot)
            } else if !client.pointee.isPortable {
                report(.drain, slot)
            } else if client.pointee.exchange.isIdle {
                letGo(slot, client)
            }
        }
    }

    /// Leaves all that another process can go on with, and serves the rest to its end.
    mutating func handOver(_ departing: DepartingConnections, until deadline: Instant) {
        for listener in listeners.all { closeListener(listener) }
        depart(departing)
        isDraining = true
        drainDeadline = deadline
    }

    mutating func stayed() {
        departure = nil
        isDeparting = false
    }

    /// To be called at the end of an exchange, while there is a departure.
    /// - Returns: whether the connection leaves, and no other request of it is to be read.
    mutating func isLeaving(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) -> Bool {
        noteAnswered(client)
        guard isDeparting, client.pointee.isPortable, let departure, belongs(slot, to: departure) else { return false }
        letGo(slot, client)
        return true
    }

    func noteAnswered(_ client: UnsafeMutablePointer<ClientConnection>) {
        guard client.pointee.isAwaited else { return }
        client.pointee.isAwaited = false
        departure?.answered()
    }

    private mutating func letGo(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        engine.settle(slot)
        if engine.unsentBytes(slot) > 0 {
            client.pointee.afterSend = .nextRequest
            return awaitSend(slot, client)
        }
        withdraw(slot)
        client.pointee.state = .closed
        client.pointee.timer = .none
        timers.cancel(slot)
        engine.detach(slot)
    }

    mutating func forsake(_ addresses: Set<IPAddress>) {
        for index in clients.touchedSlots {
            let slot = Slot(index)
            guard clients[slot].pointee.isServed, let own = engine.localAddress(slot), addresses.contains(own.ip) else {
                continue
            }
            RepairedSocket.forsake(engine.descriptor(slot))
            clientLost(slot)
        }
    }

    mutating func detached(_ slot: Slot) {
        let socket = engine.takeDetached(slot)
        if let departure {
            departure.add(socket)
        } else {
            close(socket.descriptor)
        }
        clientClosed(slot)
    }

    /// A connection that was accepted while its address departs.
    /// - Returns: false when it is to stay here.
    func leavesAtOnce(_ descriptor: Int32) -> Bool {
        guard isDeparting, let departure, let own = Socket.localAddress(of: descriptor)?.ip,
            departure.addresses.contains(own)
        else { return false }
        departure.add(DetachedSocket(descriptor: descriptor, unread: []))
        return true
    }

    private func belongs(_ slot: Slot, to departing: DepartingConnections) -> Bool {
        if departing.areHandedOver { return true }
        return engine.localAddress(slot).map { departing.addresses.contains($0.ip) } ?? false
    }

    /// Goes on with connections that were open elsewhere, or here before.
    mutating func takeIn(_ connections: [ArrivingConnection]) {
        for connection in connections {
            let descriptor = connection.socket.descriptor
            guard let listener = listeners.listener(onPort: connection.local.port),
                listeners.terms(listener).arePortable
            else {
                refuse(descriptor)
                continue
            }
            let terms = listeners.terms(listener)
            guard let slot = enter(descriptor, by: terms, on: listener, from: connection.peer) else { continue }
            connection.socket.unread.withUnsafeBytes { engine.unread(slot, $0) }
            nextRequest(slot, clients[slot])
        }
    }
}
