import Posix
import Synchronization

/// Upstreams that take only so many requests at a time: the others wait in a line, or are refused.
extension Worker where E: ~Copyable {
    /// Takes room for the client's request. False if it now waits, or was refused.
    @inline(__always)
    mutating func takeRoom(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ route: UnsafePointer<UpstreamTable>
    ) -> Bool {
        if !route.pointee.limits.isSet { return true }
        // Whoever was called goes first; all others stand behind those who wait.
        if client.pointee.wait.isCalled || route.pointee.gate.pointee.waiting == 0,
            route.pointee.gate.pointee.enter(route.pointee.limits)
        {
            client.pointee.hasRoom = true
            return true
        }
        waitForRoom(slot, client, route)
        return false
    }

    /// No backend was found. Where that is for want of room only, the request waits for some.
    mutating func lacksBackend(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ route: UnsafePointer<UpstreamTable>
    ) {
        guard route.pointee.limits.isSet, route.pointee.hasUsable(client.pointee.tried) else {
            return report(.unavailable, slot)
        }
        client.pointee.hasRoom = false
        route.pointee.gate.pointee.leave()
        waitForRoom(slot, client, route)
    }

    private mutating func waitForRoom(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ route: UnsafePointer<UpstreamTable>
    ) {
        if client.pointee.wait.isCalled {
            // The time that it may wait goes on.
            client.pointee.wait.isCalled = false
            route.pointee.gate.pointee.waitOn(
                WaitingLine.Waiter(worker: index, client: slot, ticket: client.pointee.wait.ticket))
        } else {
            let waiter = route.pointee.gate.pointee.wait(worker: index, client: slot, route.pointee.limits)
            guard let waiter else { return report(.answered(.overloaded), slot) }
            client.pointee.wait.ticket = waiter.ticket
            setTimer(.queue, slot, route.pointee.limits.queueTimeout)
        }
        // What made room just before could not see that somebody waits.
        if route.pointee.gate.pointee.hasRoom(route.pointee.limits), route.pointee.hasRoom(client.pointee.tried) {
            callNext(client)
        }
    }

    /// Calls whoever has waited longest for the upstream of this client.
    private func callNext(_ client: UnsafeMutablePointer<ClientConnection>) {
        guard let table = client.pointee.table, let route = client.pointee.route,
            let waiter = route.pointee.gate.pointee.call()
        else { return }
        call(waiter, table.pointee.table.takeUnretainedValue().runtime(upstream: route.pointee.index))
    }

    private func call(_ waiter: WaitingLine.Waiter, _ upstream: UpstreamRuntime) {
        if !peers[waiter.worker].mailbox.post(.serve(waiter, upstream)) {
            Log.error("proxy: a worker is stuck, its waiting requests are not called")
        }
    }

    /// A request of this worker was called, unless it has left meanwhile; then the next one is.
    mutating func serveWaiting(_ waiter: WaitingLine.Waiter, _ upstream: UpstreamRuntime) {
        let client = clients[waiter.client]
        guard client.pointee.wait.ticket == waiter.ticket else {
            if let next = upstream.gate.pointee.call() { call(next, upstream) }
            return
        }
        client.pointee.wait.isCalled = true
        connect(waiter.client, client)
    }

    /// It has what it waited for.
    @inline(__always)
    mutating func endWait(_ client: UnsafeMutablePointer<ClientConnection>) {
        if client.pointee.wait.ticket == 0 { return }
        client.pointee.wait = ClientConnection.Wait()
        if client.pointee.timer == .queue { client.pointee.timer = .none }
    }

    /// The request ends before it was called, or before it took notice.
    mutating func giveUpWaiting(_ client: UnsafeMutablePointer<ClientConnection>) {
        if client.pointee.wait.ticket == 0 { return }
        client.pointee.route?.pointee.gate.pointee.giveUp(client.pointee.wait.ticket)
        client.pointee.wait = ClientConnection.Wait()
    }

    mutating func queueTimeout(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        client.pointee.route?.pointee.gate.pointee.timedOut.add(1, ordering: .relaxed)
        report(.answered(.waitedTooLong), slot)
    }

    /// The client's request has left its backend, or given up.
    @inline(__always)
    mutating func giveBackRoom(_ client: UnsafeMutablePointer<ClientConnection>) {
        guard client.pointee.hasRoom, let route = client.pointee.route else { return }
        client.pointee.hasRoom = false
        makeRoom(client, route)
    }

    func makeRoom(_ client: UnsafeMutablePointer<ClientConnection>, _ route: UnsafePointer<UpstreamTable>) {
        route.pointee.gate.pointee.leave()
        callNext(client)
    }
}
