import Posix

extension Worker where E: ~Copyable {
    @inline(__always)
    mutating func setTimer(_ timer: ClientConnection.Timer, _ slot: Slot, _ delay: Nanoseconds) {
        let client = clients[slot]
        client.pointee.timer = timer
        timers.set(slot, at: min(now + delay, client.pointee.deadline))
    }

    @inline(__always)
    mutating func setTimer(_ timer: UpstreamConnection.Timer, upstream slot: Slot, _ delay: Nanoseconds) {
        let upstream = upstreams[slot]
        upstream.pointee.timer = timer
        timers.set(slot, at: now + delay)
    }

    mutating func expireTimers() {
        while let slot = timers.expire(now: now) {
            if clients.contains(slot) { clientTimeout(slot) } else { upstreamTimeout(slot) }
        }
        if listeners.resumeAt <= now { resumeListeners() }
    }

    private mutating func clientTimeout(_ slot: Slot) {
        let client = clients[slot]
        let timer = client.pointee.timer
        client.pointee.timer = .none
        if client.pointee.deadline != .distantFuture {
            if client.pointee.deadline <= now { return totalTimeout(slot, client) }
            timers.set(slot, at: client.pointee.deadline)
        }
        switch timer {
        case .none: break
        case .introduction: refuseIntroduction(.timeout, slot)
        case .requestHead: report(.timeout(.requestHead), slot)
        case .keepAlive: report(.timeout(.keepAlive), slot)
        case .requestBody: bodyTimeout(slot, client)
        case .backoff: connect(slot, client)
        case .queue: queueTimeout(slot, client)
        case .hedge: hedgeDelayOver(slot, client)
        case .tunnel: report(.timeout(.tunnel), slot)
        case .linger: closeClient(slot, .reset)
        case .write: writeTimeout(slot, client)
        }
    }

    /// A client that sent enough since the last look is slow, not stalling.
    private mutating func bodyTimeout(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        let least = clientTimeouts.leastBytes(in: clientTimeouts.requestBody)
        if client.pointee.bodyBytesSinceCheck > least {
            awaitBody(slot, client)
        } else {
            report(.timeout(.requestBody), slot)
        }
    }

    /// A client that took enough since the last look is slow, not gone.
    private mutating func writeTimeout(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        let unsent = engine.unsentBytes(slot)
        if unsent == 0 { return }
        let taken = client.pointee.unsentAtCheck - unsent
        // The last look can have been before the engine knew that it could not send at once.
        if taken > clientTimeouts.leastBytes(in: clientTimeouts.write) || taken < 0 {
            awaitSend(slot, client)
        } else if client.pointee.state == .open {
            report(.timeout(.clientWrite), slot)
        } else {
            closeClient(slot, .reset)
        }
    }

    /// A splice that moved enough since the last look goes on; else whoever it waits for is too slow.
    private mutating func spliceTimeout(_ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>) {
        let moved = upstream.pointee.unsplicedAtCheck - engine.unsplicedBytes(slot)
        if moved > UInt64(clientTimeouts.leastBytes(in: clientTimeouts.write)) {
            awaitSplice(slot, upstream)
        } else {
            report(.timeout(engine.isSpliceHeldUp(slot) ? .clientWrite : .responseBody), upstream.pointee.client)
        }
    }

    private mutating func upstreamTimeout(_ slot: Slot) {
        let upstream = upstreams[slot]
        let timer = upstream.pointee.timer
        upstream.pointee.timer = .none
        switch timer {
        case .none: break
        case .connect:
            let failure = failureAtConnectTimeout(slot, upstream)
            if upstream.pointee.state == .connectingSecond { return secondFailed(slot, failure) }
            noteFailure(failure, of: upstream.pointee.client)
            failAttempt(.timeout(.connect), upstream.pointee.client, cost: .none)
        case .tryHead: tryTimeout(slot, upstream)
        case .responseHead where upstream.pointee.state == .racing: secondFailed(slot, .responseTimedOut)
        case .responseHead:
            noteFailure(.responseTimedOut, of: upstream.pointee.client)
            if !upstream.pointee.hasReplied, secondStandsIn(upstream.pointee.client, clients[upstream.pointee.client]) {
                return
            }
            report(.timeout(.responseHead), upstream.pointee.client)
        case .responseBody: report(.timeout(.responseBody), upstream.pointee.client)
        case .splice: spliceTimeout(slot, upstream)
        case .idle:
            pool.remove(slot, from: upstreams)
            closeUpstream(slot)
        }
    }
}
