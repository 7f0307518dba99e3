import Posix

/// Requests on their way to a backend: their bodies, as far as they are there and the backend takes them.
extension Worker where E: ~Copyable {
    /// Takes body bytes that came before a backend is connected, if they can be kept; otherwise they wait.
    /// - Returns: what is to be done instead of `actions`, if the bytes change that.
    mutating func takeEarlyBody(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeMutableRawBufferPointer,
        _ actions: ExchangeActions
    ) -> ExchangeActions {
        if !canKeep(bytes.count, client) {
            engine.unread(slot, UnsafeRawBufferPointer(bytes))
            return actions
        }
        do throws(HTTPFault) {
            let part = try decodeRequestBody(slot, client, bytes)
            keep(part, client)
            return client.pointee.isBodyRead ? actions.union(client.pointee.exchange.handle(.requestEnd)) : actions
        } catch {
            return client.pointee.exchange.handle(.invalidRequest(error))
        }
    }

    mutating func readRequestBody(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeMutableRawBufferPointer
    ) {
        client.pointee.bodyBytesSinceCheck += bytes.count
        guard isServing(client.pointee.upstream) else {
            let actions = takeEarlyBody(slot, client, bytes, [])
            perform(actions, slot)
            return
        }
        guard canSendBody(to: client.pointee.upstream) else {
            // Asked for before the backend before this one failed.
            engine.unread(slot, UnsafeRawBufferPointer(bytes))
            return
        }
        let part: UnsafeRawBufferPointer
        do throws(HTTPFault) {
            part = try decodeRequestBody(slot, client, bytes)
        } catch {
            report(.invalidRequest(error), slot)
            return
        }
        if client.pointee.kept.base != nil {
            if canKeep(part.count, client) {
                keep(part, client)
            } else {
                dropKeptRequest(client)
                report(.requestNotKept, slot)
            }
        }
        let event: ExchangeEvent = client.pointee.isBodyRead ? .requestEnd : .requestBody
        let actions = client.pointee.exchange.handle(event)
        if actions.contains(.forwardRequestBody) && !part.isEmpty { send(part, toUpstreamOf: client) }
        perform(actions, slot)
        continueRequest(slot, client)
    }

    /// Decodes body bytes and frames them for the backend, in place. What lies behind the body waits for the next
    /// request.
    private mutating func decodeRequestBody(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeMutableRawBufferPointer
    ) throws(HTTPFault) -> UnsafeRawBufferPointer {
        let progress = try client.pointee.body.decode(bytes)
        client.pointee.isBodyRead = progress.isComplete
        engine.unread(slot, UnsafeRawBufferPointer(rebasing: bytes[progress.consumed...]))
        let isChunked = client.pointee.exchange.request.framing == .chunked
        if isChunked {
            client.pointee.bodyBytes += UInt64(progress.data.count)
            if client.pointee.bodyBytes > tables.current.pointee.clients.bodyBytes { throw .bodyTooLarge }
        }
        return ScratchFraming.frame(bytes, progress, isChunked: isChunked)
    }

    private func canKeep(_ count: Int, _ client: UnsafeMutablePointer<ClientConnection>) -> Bool {
        let room = BufferPool.smallCapacity - Int(client.pointee.kept.count)
        return client.pointee.kept.base != nil && count + ScratchFraming.maximumGrowth <= room
    }

    private mutating func keep(_ part: UnsafeRawBufferPointer, _ client: UnsafeMutablePointer<ClientConnection>) {
        if part.isEmpty { return }
        keptRequests.append(part, to: &client.pointee.kept)
    }

    /// Goes on receiving the request's body once the backend has taken what came before.
    mutating func continueRequest(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        guard client.pointee.state == .open, !client.pointee.isBodyRead, !client.pointee.hasEnded,
            isServing(client.pointee.upstream), canSendBody(to: client.pointee.upstream)
        else {
            if client.pointee.timer == .requestBody { client.pointee.timer = .none }
            return
        }
        engine.receive(slot, limit: bodyLimit(client))
        if client.pointee.timer != .requestBody { awaitBody(slot, client) }
    }

    /// Gives the client its time to send a part of the body.
    mutating func awaitBody(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        client.pointee.bodyBytesSinceCheck = 0
        setTimer(.requestBody, slot, clientTimeouts.requestBody)
    }

    private func canSendBody(to upstream: Slot) -> Bool {
        !upstreams[upstream].pointee.isSendBroken && engine.unsentBytes(upstream) == 0
    }

    /// As much as a receive can bring while no more than a held head's worth can belong to the next request.
    private func bodyLimit(_ client: UnsafeMutablePointer<ClientConnection>) -> Int {
        guard let remaining = client.pointee.body.remaining else { return Scratch.unreadCapacity }
        return Int(min(remaining, UInt64(Scratch.capacity - Scratch.headCapacity))) + Scratch.headCapacity
    }

    /// Sends the request, from its first byte, as far as it is there.
    mutating func forwardRequest(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        // No more than a head and a small body at once: what is left of a long one can then be spliced.
        engine.receive(client.pointee.upstream, limit: Scratch.unreadCapacity)
        send(client.pointee.kept.bytes, toUpstreamOf: client)
        if !client.pointee.isBodyRead { continueRequest(slot, client) }
        armHedge(slot, client)
    }

    private mutating func send(
        _ bytes: UnsafeRawBufferPointer, toUpstreamOf client: UnsafeMutablePointer<ClientConnection>
    ) {
        let slot = client.pointee.upstream
        let upstream = upstreams[slot]
        if upstream.pointee.isSendBroken { return }
        upstream.pointee.sentBytes += UInt64(bytes.count)
        switch engine.send(slot, bytes) {
        case .done, .pending: break
        case .failed: upstream.pointee.isSendBroken = true
        }
        awaitResponse(slot, upstream, client)
    }

    /// The backend's time runs while it has to read or to answer, not while the client is still sending.
    mutating func awaitResponse(
        _ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>,
        _ client: UnsafeMutablePointer<ClientConnection>
    ) {
        guard upstream.pointee.awaitsHead, let route = client.pointee.route else { return }
        if client.pointee.isBodyRead || engine.unsentBytes(slot) > 0 {
            if let limit = route.pointee.retry.tryTimeout, client.pointee.attempts <= route.pointee.retries {
                setTimer(.tryHead, upstream: slot, limit)
            } else {
                setTimer(.responseHead, upstream: slot, route.pointee.timeouts.response)
            }
        } else {
            upstream.pointee.timer = .none
        }
    }
}
