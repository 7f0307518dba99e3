import Posix

/// What follows from backends that fail: other attempts, and which backends are left alone for a while.
extension Worker where E: ~Copyable {
    // Further attempts.

    /// Tries another backend: at once, after a pause, or not at all.
    mutating func retry(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        guard let route = client.pointee.route, client.pointee.attempts <= route.pointee.retries else {
            return report(.unavailable, slot)
        }
        if client.pointee.retryCost == .due, !takeRetry(client, route) { return report(.unavailable, slot) }
        let pause =
            client.pointee.retryCost == .none
            ? .zero : route.pointee.retry.pause(before: client.pointee.attempts, random: &random)
        if pause == .zero { connect(slot, client) } else { setTimer(.backoff, slot, pause) }
    }

    func takeRetry(
        _ client: UnsafeMutablePointer<ClientConnection>, _ route: UnsafePointer<UpstreamTable>
    ) -> Bool {
        runtime(of: client, route).takeRetry(route.pointee.retry.budget, active: route.pointee.activeRequests, at: now)
    }

    /// Gives the attempt up in favour of another backend, if there is one and the budget has room.
    private mutating func tryAgain(after failure: ExchangeAnswer, _ slot: Slot) -> Bool {
        let client = clients[slot]
        if secondStandsIn(slot, client) { return true }
        guard client.pointee.exchange.mayTryAgain, let route = client.pointee.route,
            client.pointee.attempts <= route.pointee.retries,
            route.pointee.hasAlternative(to: client.pointee.backendIndex, client.pointee.tried, now),
            takeRetry(client, route)
        else { return false }
        failAttempt(.tryAgain(failure), slot, cost: .paid)
        return true
    }

    /// Whether a response head is not passed on, because another backend may answer better. Every head passes here.
    @inline(__always)
    mutating func isRejected(
        _ traits: ResponseTraits, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>
    ) -> Bool {
        guard traits.status >= 500 else {
            if let backend = client.pointee.backend {
                backend.pointee.counters.pointee.noteSuccess()
                if client.pointee.route?.pointee.algorithm == .peakEWMA {
                    observeLatency(backend, since: client.pointee.attemptedAt)
                }
            }
            return false
        }
        return isRejected(status: traits.status, slot, client)
    }

    @inline(never)
    private mutating func isRejected(
        status: UInt16, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>
    ) -> Bool {
        if EjectionPolicy.isFailure(status: status) { noteFailure(.status(status), of: slot) }
        guard let route = client.pointee.route, route.pointee.retry.statuses.contains(status) else { return false }
        return tryAgain(after: .backendRefused(status), slot)
    }

    mutating func refuseResponse(_ fault: HTTPFault, _ slot: Slot) {
        noteFailure(.invalidResponse, of: slot)
        if !tryAgain(after: .backendFaulty(fault), slot) { report(.invalidResponse(fault), slot) }
    }

    /// The time of one attempt is over. Without another backend it has the rest of its response timeout.
    mutating func tryTimeout(_ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>) {
        let client = clients[upstream.pointee.client]
        guard let route = client.pointee.route, let spent = route.pointee.retry.tryTimeout else { return }
        noteFailure(.responseTimedOut, of: upstream.pointee.client)
        if !upstream.pointee.hasReplied, tryAgain(after: .responseTimeout, upstream.pointee.client) { return }
        setTimer(.responseHead, upstream: slot, route.pointee.timeouts.response - spent)
    }

    // The time of a request in all.

    mutating func setDeadline(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, after total: Nanoseconds
    ) {
        client.pointee.deadline = now + total
        timers.set(slot, at: client.pointee.deadline)
    }

    mutating func totalTimeout(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        client.pointee.deadline = .distantFuture
        report(.timeout(.total), slot)
    }

    // Backends that fail.

    /// Counts a failure of the backend of the client's attempt, and keeps requests from it where that follows.
    func noteFailure(_ failure: PassiveFailure, of slot: Slot) {
        let client = clients[slot]
        noteFailure(failure, of: slot, at: client.pointee.backendIndex, since: client.pointee.attemptedAt)
    }

    /// The same of the attempt at a certain backend.
    func noteFailure(_ failure: PassiveFailure, of slot: Slot, at place: Int32, since attemptedAt: Instant) {
        let client = clients[slot]
        guard place >= 0, let route = client.pointee.route,
            let table = client.pointee.table?.pointee.table.takeUnretainedValue()
        else { return }
        let backend = route.pointee.backends.baseAddress! + Int(place)
        let count = backend.pointee.counters.pointee.countFailure()
        let upstream = route.pointee.index
        switch failure {
        case .connectRefused, .connectTimedOut, .connectFailed, .closedBeforeReply, .notSecured:
            // It can not be reached: it is avoided at once, and until a check reaches it.
            table.runtime(upstream: upstream, backend: place)
                .avoid(until: now + options.pauses.ejection, because: failure)
        case .responseTimedOut: observeLatency(backend, since: attemptedAt)
        // Failures are often fast; that must not attract requests.
        case .invalidResponse, .status: break
        }
        let ejections = table.runtime(upstream: upstream).ejections(
            after: failure, of: backend.pointee.runtimeID, inARow: count, among: route.pointee.usableCount,
            route.pointee.ejection, at: now
        ) { route.pointee.tallies }
        for ejection in ejections {
            guard let index = route.pointee.backends.firstIndex(where: { $0.runtimeID == ejection.backend }) else {
                continue
            }
            table.runtime(upstream: upstream, backend: Int32(index)).eject(
                until: ejection.until, because: ejection.cause)
            Log.warning(
                "proxy: upstream \(table.upstreamNames[Int(upstream)]): \(route.pointee.backends[index].address) is ejected "
                    + "for \(Int((ejection.until - now).seconds.rounded(.up))) s: \(ejection.cause)")
        }
    }

    /// How long the backend took to answer, or not to.
    @inline(never)
    func observeLatency(_ backend: UnsafePointer<BackendSlot>?, since attemptedAt: Instant) {
        backend?.pointee.counters.pointee.observe(now - attemptedAt, at: now)
    }

    private func runtime(
        of client: UnsafeMutablePointer<ClientConnection>, _ route: UnsafePointer<UpstreamTable>
    ) -> UpstreamRuntime {
        client.pointee.table!.pointee.table.takeUnretainedValue().runtime(upstream: route.pointee.index)
    }
}
