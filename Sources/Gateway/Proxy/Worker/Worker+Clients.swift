import Posix

/// The ends of clients' requests and connections.
extension Worker where E: ~Copyable {
    /// Bytes that a lingering client may still send.
    private static var lingerBytes: Int { 8 << 20 }

    /// Waits for the next request, after the last response is with the kernel.
    mutating func nextRequest(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        if engine.unsentBytes(slot) > 0 {
            client.pointee.afterSend = .nextRequest
            awaitSend(slot, client)
            return
        }
        if departure != nil, isLeaving(slot, client) { return }
        setTimer(.keepAlive, slot, clientTimeouts.keepAlive)
        engine.receive(slot, limit: Scratch.headCapacity)
    }

    /// Closes after all pending bytes. A client that may still be sending gets a FIN and is read for a while: a close
    /// with unread input would reset the connection, and the response could be lost on its way (RFC 9112 section 9.6).
    mutating func finishClient(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        withdraw(slot)
        let isDone = client.pointee.exchange.requestEnded && !engine.mayHaveInput(slot)
        if isDone || client.pointee.hasEnded {
            client.pointee.state = .closing
            awaitSend(slot, client)
            return engine.closeWhenSent(slot)
        }
        engine.settle(slot)
        if engine.unsentBytes(slot) > 0 {
            client.pointee.state = .closing
            return awaitSend(slot, client)
        }
        client.pointee.state = .lingering
        engine.finishSending(slot)
        setTimer(.linger, slot, options.pauses.linger)
        engine.receive(slot, limit: Scratch.capacity)
    }

    mutating func dropLingering(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ count: Int) {
        client.pointee.lingered += count
        if client.pointee.lingered > Worker.lingerBytes { return closeClient(slot, .reset) }
        engine.receive(slot, limit: Scratch.capacity)
    }

    mutating func clientLost(_ slot: Slot) {
        switch clients[slot].pointee.state {
        case .introducing: introductionEnded(slot)
        case .open: report(.clientLost, slot)
        case .closing, .lingering: closeClient(slot, .orderly)
        case .closed: break
        }
    }

    mutating func closeClient(_ slot: Slot, _ manner: CloseManner) {
        let client = clients[slot]
        withdraw(slot)
        client.pointee.state = .closed
        client.pointee.timer = .none
        engine.close(slot, manner)
    }

    mutating func clientClosed(_ slot: Slot) {
        timers.cancel(slot)
        noteAnswered(clients[slot])
        leave(clients[slot])
        clients.remove(slot)
        counters.pointee.clientConnections.change(by: -1)
    }
}
