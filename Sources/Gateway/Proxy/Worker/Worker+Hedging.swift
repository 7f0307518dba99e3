import Posix
import Synchronization

/// Requests that a second backend gets too when the first one is slow. `Hedge` decides; what is done about it is here.
extension Worker where E: ~Copyable {
    /// The present backend has the whole request.
    @inline(__always)
    mutating func armHedge(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        guard let delay = client.pointee.route?.pointee.retry.hedgeDelay, delay > .zero else { return }
        armHedge(slot, client, after: delay)
    }

    @inline(never)
    private mutating func armHedge(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, after delay: Nanoseconds
    ) {
        let request = client.pointee.exchange.request
        guard request.method == .get || request.method == .head, request.framing.isEmpty, !request.wantsUpgrade
        else { return }
        switch client.pointee.second.race.handle(.sent) {
        case .arm: setTimer(.hedge, slot, delay)
        case .none, .askSecond, .sendToSecond, .dropSecond, .replaceFirst: break
        }
    }

    mutating func hedgeDelayOver(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        guard client.pointee.second.race.phase == .armed else { return }
        let choice = secondBackend(of: client)
        _ = carryOut(client.pointee.second.race.handle(.delayed(mayAsk: choice != nil)), slot, client, choice: choice)
    }

    /// A backend with room for one more attempt, at which that is counted; nil when there is none or the budget is spent.
    private mutating func secondBackend(of client: UnsafeMutablePointer<ClientConnection>) -> Int32? {
        guard let route = client.pointee.route, client.pointee.exchange.mayTryAgain,
            isServing(client.pointee.upstream), !upstreams[client.pointee.upstream].pointee.hasReplied,
            route.pointee.hasAlternative(to: client.pointee.backendIndex, client.pointee.tried, now)
        else { return nil }
        var tried = client.pointee.tried
        tried.insert(client.pointee.backendIndex)
        let hash = route.pointee.algorithm == .ipHash ? StableHash.hash(client.pointee.address) : 0
        let choice = route.pointee.pick(clientHash: hash, random: &random, tried: tried, now: now)
        guard let choice, enter(route, backend: choice, client) else { return nil }
        if takeRetry(client, route) { return choice }
        leaveSecond(client, backend: choice)
        return nil
    }

    /// Counts the second attempt where the limits count.
    private func enter(
        _ route: UnsafePointer<UpstreamTable>, backend: Int32, _ client: UnsafeMutablePointer<ClientConnection>
    ) -> Bool {
        let counters = route.pointee.backends[Int(backend)].counters
        let active = counters.pointee.activeRequests.add(1, ordering: .relaxed).newValue
        let isLimited = route.pointee.limits.isSet
        if active <= route.pointee.roomPerBackend,
            !isLimited
                || (route.pointee.gate.pointee.waiting == 0 && route.pointee.gate.pointee.enter(route.pointee.limits))
        {
            client.pointee.second.hasRoom = isLimited
            return true
        }
        counters.pointee.activeRequests.subtract(1, ordering: .relaxed)
        return false
    }

    private mutating func leaveSecond(_ client: UnsafeMutablePointer<ClientConnection>, backend: Int32) {
        guard let route = client.pointee.route else { return }
        route.pointee.backends[Int(backend)].counters.pointee.activeRequests.subtract(1, ordering: .releasing)
        guard client.pointee.second.hasRoom else { return }
        client.pointee.second.hasRoom = false
        makeRoom(client, route)
    }

    /// - Returns: whether the second attempt took the place of the first one.
    private mutating func carryOut(
        _ action: Hedge.Action, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, choice: Int32? = nil
    ) -> Bool {
        switch action {
        case .none, .arm: break
        case .askSecond: if let choice { ask(choice, slot, client) }
        case .sendToSecond: sendToSecond(client)
        case .dropSecond: dropSecond(client)
        case .replaceFirst:
            replaceFirst(client)
            return true
        }
        return false
    }

    private mutating func ask(_ choice: Int32, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        guard let route = client.pointee.route else { return }
        let backend = route.pointee.backends[Int(choice)]
        backend.counters.pointee.requests.add(1, ordering: .relaxed)
        UpstreamCells(route.pointee.cells, worker: index).countHedge()
        client.pointee.logEntry?.pointee.isHedged = true
        client.pointee.second.backendIndex = choice
        client.pointee.second.attemptedAt = now
        if let pooled = pool.take(backend, from: upstreams) {
            client.pointee.second.upstream = pooled
            upstreams[pooled].pointee.client = slot
            upstreams[pooled].pointee.isReused = true
            _ = carryOut(client.pointee.second.race.handle(.secondConnected), slot, client)
            return
        }
        do throws(SystemError) {
            if let dialled = try dial(backend, route.pointee.timeouts.connect, for: slot) {
                client.pointee.second.upstream = dialled
                upstreams[dialled].pointee.state = .connectingSecond
                return
            }
        } catch {
            if !isOwnShortage(error.code) { noteSecondFailure(.connect(error.code), slot, client) }
        }
        _ = carryOut(client.pointee.second.race.handle(.secondFailed), slot, client)
    }

    // What the second attempt comes to.

    mutating func secondConnected(_ upstreamSlot: Slot) {
        let slot = upstreams[upstreamSlot].pointee.client
        let client = clients[slot]
        let isIntroduced = introduce(client, to: upstreamSlot, for: slot)
        _ = carryOut(client.pointee.second.race.handle(isIntroduced ? .secondConnected : .secondFailed), slot, client)
    }

    private mutating func sendToSecond(_ client: UnsafeMutablePointer<ClientConnection>) {
        let slot = client.pointee.second.upstream
        let upstream = upstreams[slot]
        upstream.pointee.beginExchange(.racing)
        upstream.pointee.wireBytesBefore = engine.wireBytes(slot, of: upstream.pointee.sentBytes)
        engine.receive(slot, limit: Scratch.unreadCapacity)
        upstream.pointee.sentBytes += UInt64(client.pointee.kept.count)
        switch engine.send(slot, client.pointee.kept.bytes) {
        case .done, .pending: break
        // The receive brings the loss.
        case .failed: upstream.pointee.isSendBroken = true
        }
        if let route = client.pointee.route { setTimer(.responseHead, upstream: slot, route.pointee.timeouts.response) }
    }

    /// It was lost, or could not be reached; `failure` is nil where that is not the backend's fault.
    mutating func secondFailed(_ upstreamSlot: Slot, _ failure: PassiveFailure?) {
        let slot = upstreams[upstreamSlot].pointee.client
        let client = clients[slot]
        if let failure { noteSecondFailure(failure, slot, client) }
        _ = carryOut(client.pointee.second.race.handle(.secondFailed), slot, client)
    }

    private mutating func noteSecondFailure(
        _ failure: PassiveFailure, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>
    ) {
        let second = client.pointee.second
        noteFailure(failure, of: slot, at: second.backendIndex, since: second.attemptedAt)
        client.pointee.tried.insert(second.backendIndex)
    }

    /// - Returns: whether the connection now serves the client, and the bytes are to be taken for its answer.
    mutating func secondReceived(_ upstreamSlot: Slot, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let slot = upstreams[upstreamSlot].pointee.client
        let client = clients[slot]
        let failure = failure(in: bytes, client)
        if let failure { noteSecondFailure(failure, slot, client) }
        return carryOut(client.pointee.second.race.handle(.secondAnswered(isFailure: failure != nil)), slot, client)
    }

    /// What speaks against a beginning of an answer, if that can be seen yet.
    private func failure(
        in bytes: UnsafeRawBufferPointer, _ client: UnsafeMutablePointer<ClientConnection>
    ) -> PassiveFailure? {
        var progress = ParseProgress()
        let method = client.pointee.requestMethod
        switch ResponseParser.parse(bytes, to: method, fields: fields, progress: &progress) {
        case .incomplete: return nil
        case .invalid: return .invalidResponse
        case .complete(let head):
            let status = head.traits.status
            let isRefused = client.pointee.route?.pointee.retry.statuses.contains(status) ?? false
            return isRefused || EjectionPolicy.isFailure(status: status) ? .status(status) : nil
        }
    }

    // What the first attempt comes to.

    /// The first attempt failed. True when the second one goes on in its place, and nothing more is to be done.
    mutating func secondStandsIn(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) -> Bool {
        if client.pointee.second.race.phase == .unused { return false }
        let failed = client.pointee.backendIndex
        guard carryOut(client.pointee.second.race.handle(.firstFailed), slot, client) else { return false }
        client.pointee.tried.insert(failed)
        return true
    }

    /// The first attempt brings the answer.
    @inline(__always)
    mutating func firstAnswered(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        if client.pointee.second.upstream == .none { return }
        _ = carryOut(client.pointee.second.race.handle(.firstAnswered), slot, client)
    }

    /// The request has no use for any backend.
    @inline(__always)
    mutating func endRace(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        if client.pointee.second.race.phase == .unused { return }
        _ = carryOut(client.pointee.second.race.handle(.ended), slot, client)
    }

    private mutating func dropSecond(_ client: UnsafeMutablePointer<ClientConnection>) {
        let second = client.pointee.second
        client.pointee.second.upstream = .none
        client.pointee.second.backendIndex = -1
        leaveSecond(client, backend: second.backendIndex)
        if second.upstream != .none { closeUpstream(second.upstream) }
    }

    private mutating func replaceFirst(_ client: UnsafeMutablePointer<ClientConnection>) {
        guard let route = client.pointee.route else { return }
        // It took at least as long as that.
        if route.pointee.algorithm == .peakEWMA {
            observeLatency(client.pointee.backend, since: client.pointee.attemptedAt)
        }
        UpstreamCells(route.pointee.cells, worker: index).countHedgeWon()
        let second = client.pointee.second
        client.pointee.second.upstream = .none
        client.pointee.second.backendIndex = -1
        client.pointee.second.hasRoom = false
        discardUpstream(of: client)
        client.pointee.upstream = second.upstream
        client.pointee.backendIndex = second.backendIndex
        client.pointee.attemptedAt = second.attemptedAt
        client.pointee.hasRoom = second.hasRoom
        client.pointee.logEntry?.pointee.backend = route.pointee.backends[Int(second.backendIndex)].address
        upstreams[second.upstream].pointee.state = .serving
    }
}
