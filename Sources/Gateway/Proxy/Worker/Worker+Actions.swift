import Posix

extension Worker where E: ~Copyable {
    /// Tells the exchange of a client what happened, and carries out what follows.
    @inline(__always)
    mutating func report(_ event: ExchangeEvent, _ slot: Slot) {
        let client = clients[slot]
        let actions = client.pointee.exchange.handle(event)
        perform(actions, slot)
    }

    /// Carries out the actions that need no bytes at hand. Those that do (`forwardRequestBody`, `forwardInterim`,
    /// `forwardResponse`, `forwardResponseBody`) are the business of whoever has the bytes.
    mutating func perform(_ actions: ExchangeActions, _ slot: Slot) {
        if actions.isEmpty { return }
        let client = clients[slot]
        if actions.contains(.keepUpstream) { keepUpstream(of: client) }
        if actions.contains(.discardUpstream) {
            if !actions.contains(.retry) { endRace(slot, client) }
            discardUpstream(of: client)
        }
        if actions.contains(.connect) { return connect(slot, client) }
        if actions.contains(.retry) { return retry(slot, client) }
        if actions.contains(.forwardRequest) { forwardRequest(slot, client) }
        if actions.contains(.halfCloseUpstream) { engine.finishSending(client.pointee.upstream) }
        if actions.contains(.halfCloseClient) { engine.finishSending(slot) }
        if actions.contains(.endResponse) { endResponse(slot, client) }
        if actions.contains(.respond) { respond(slot, client) }
        if actions.contains(.nextRequest) {
            endRequest(client)
            nextRequest(slot, client)
        }
        if actions.contains(.closeClient) {
            countIfCutShort(client)
            endRequest(client)
            finishClient(slot, client)
        }
        if actions.contains(.abortClient) {
            countIfCutShort(client)
            endRequest(client)
            closeClient(slot, .reset)
        }
    }

    /// A connection that ends before the response does. Tunnels have no other end.
    private func countIfCutShort(_ client: UnsafeMutablePointer<ClientConnection>) {
        if client.pointee.table != nil, client.pointee.status >= 200, !client.pointee.isReplyEnded {
            counters.pointee.cutShort.increase()
        }
    }

    /// Lets go of what belongs to one request. Harmless when none is under way.
    @inline(__always)
    private mutating func endRequest(_ client: UnsafeMutablePointer<ClientConnection>) {
        dropKeptRequest(client)
        client.pointee.deadline = .distantFuture
        giveUpWaiting(client)
        if client.pointee.second.race.phase != .unused { client.pointee.second = ClientConnection.Second() }
        if let entry = client.pointee.logEntry {
            client.pointee.logEntry = nil
            accessLog.end(entry, client: client.pointee.address, now: now)
        }
        if client.pointee.isAddressCounted {
            client.pointee.isAddressCounted = false
            admission.leave(from: client.pointee.address)
        }
        guard let table = client.pointee.table else { return }
        count(client)
        client.pointee.table = nil
        counters.pointee.activeRequests.change(by: -1)
        if tables.end(table) { reportOldestTable() }
    }

    /// Counts a request that is over for its upstream.
    @inline(__always)
    private func count(_ client: UnsafeMutablePointer<ClientConnection>) {
        let (received, sent) = (client.pointee.receivedBytes, client.pointee.sentBytes)
        client.pointee.receivedBytes = 0
        client.pointee.sentBytes = 0
        guard let route = client.pointee.route else { return }
        UpstreamCells(route.pointee.cells, worker: index).count(
            status: client.pointee.status, duration: now - client.pointee.startedAt, bytesReceived: received,
            bytesSent: sent)
    }

    func countRetry(at route: UnsafePointer<UpstreamTable>) {
        counters.pointee.retries.increase()
        UpstreamCells(route.pointee.cells, worker: index).countRetry()
    }
}
