import Posix

/// What clients send, on its way to a backend.
extension Worker where E: ~Copyable {
    mutating func clientReceived(_ slot: Slot, _ bytes: UnsafeMutableRawBufferPointer) {
        let client = clients[slot]
        counters.pointee.bytesReceived.increase(by: UInt64(bytes.count))
        client.pointee.receivedBytes += UInt64(bytes.count)
        switch client.pointee.state {
        case .introducing: readIntroduction(slot, client, bytes)
        case .open:
            if client.pointee.exchange.isIdle {
                readRequestHead(slot, client, bytes)
            } else if client.pointee.exchange.isTunnel {
                tunnelToUpstream(slot, client, UnsafeRawBufferPointer(bytes))
            } else {
                readRequestBody(slot, client, bytes)
            }
        case .lingering: dropLingering(slot, client, bytes.count)
        case .closing, .closed: break
        }
    }

    mutating func clientEnded(_ slot: Slot) {
        let client = clients[slot]
        client.pointee.hasEnded = true
        switch client.pointee.state {
        case .introducing: introductionEnded(slot)
        case .open: report(.clientEnd, slot)
        case .lingering: closeClient(slot, .orderly)
        case .closing, .closed: break
        }
    }

    // The head.

    private mutating func readRequestHead(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeMutableRawBufferPointer
    ) {
        switch RequestParser.parse(
            bytes, fields: fields, progress: &client.pointee.parse, limits: tables.current.pointee.clients.head)
        {
        case .complete(let head):
            client.pointee.parse = ParseProgress()
            begin(head, slot, client, bytes)
        case .incomplete where bytes.count < Scratch.unreadCapacity:
            // The deadline counts from the first byte, or a client could keep a head open for ever.
            if client.pointee.timer != .requestHead { setTimer(.requestHead, slot, clientTimeouts.requestHead) }
            engine.unread(slot, UnsafeRawBufferPointer(bytes))
            engine.receiveMore(slot)
        case .incomplete: refuse(.headTooLarge, slot, UnsafeRawBufferPointer(bytes))
        case .invalid(let fault): refuse(fault, slot, UnsafeRawBufferPointer(bytes))
        }
    }

    private mutating func refuse(_ fault: HTTPFault, _ slot: Slot, _ bytes: UnsafeRawBufferPointer) {
        counters.pointee.requests.increase()
        let client = clients[slot]
        client.pointee.address = client.pointee.peer.ip
        if accessLog.isOn { client.pointee.logEntry = accessLog.beginRefused(bytes, now: now) }
        client.pointee.requestMethod = .other
        report(.invalidRequest(fault), slot)
    }

    private mutating func begin(
        _ head: RequestHead, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>,
        _ bytes: UnsafeMutableRawBufferPointer
    ) {
        counters.pointee.requests.increase()
        counters.pointee.activeRequests.change(by: 1)
        client.pointee.timer = .none
        noteRequest(client)
        client.pointee.startedAt = now
        client.pointee.status = 0
        client.pointee.requestMethod = head.traits.method
        client.pointee.body = BodyDecoder(head.traits.framing)
        client.pointee.isBodyRead = head.traits.framing.isEmpty
        client.pointee.isReplyEnded = false
        client.pointee.tried = TriedBackends()
        client.pointee.attempts = 0
        client.pointee.needsFreshConnection = false
        client.pointee.bodyBytes = 0
        var actions = client.pointee.exchange.handle(.request(head.traits))
        route(head, client, UnsafeRawBufferPointer(bytes))
        client.pointee.stickyBackend =
            client.pointee.route?.pointee.sticky?.backend(head, of: UnsafeRawBufferPointer(bytes), fields) ?? -1
        if let total = client.pointee.route?.pointee.timeouts.total { setDeadline(slot, client, after: total) }
        let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[head.byteCount...])
        if client.pointee.isBodyRead { engine.unread(slot, UnsafeRawBufferPointer(rest)) }
        let trustedField = identify(head, client, UnsafeRawBufferPointer(bytes))
        let trace = RequestTrace.decide(
            head, of: UnsafeRawBufferPointer(bytes), fields, tables.current.pointee.tracing,
            isTrusted: trustedField != nil, &traceRandom)
        if accessLog.isOn {
            client.pointee.logEntry = accessLog.begin(head, of: UnsafeRawBufferPointer(bytes), fields, trace, now: now)
        }
        if let refusal = refusal(head, client, UnsafeRawBufferPointer(bytes)) {
            actions = client.pointee.exchange.handle(refusal)
        } else if client.pointee.route != nil {
            if !keepHead(head, slot, client, UnsafeRawBufferPointer(bytes), trustedField, trace) {
                actions = client.pointee.exchange.handle(.invalidRequest(.headTooLarge))
            } else if !client.pointee.isBodyRead {
                actions = takeEarlyBody(slot, client, rest, actions)
            }
        }
        perform(actions, slot)
    }

    private mutating func route(
        _ head: RequestHead, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeRawBufferPointer
    ) {
        let table = tables.current
        table.pointee.users += 1
        client.pointee.table = table
        let host = UnsafeRawBufferPointer(rebasing: bytes[head.host.range]).bytes
        let path = UnsafeRawBufferPointer(rebasing: bytes[head.path.range]).bytes
        client.pointee.target = table.pointee.route(host: host, path: path) ?? -1
    }

    /// Finds on whose behalf the request was sent.
    /// - Returns: the field in which the peer is believed, nil when it is no trusted proxy.
    @inline(__always)
    private func identify(
        _ head: RequestHead, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeRawBufferPointer
    ) -> ForwardedField? {
        let terms = tables.current.pointee.clients
        let peer = client.pointee.peer.ip
        client.pointee.address = peer
        guard let field = terms.trustedField(of: peer) else { return nil }
        client.pointee.address = ClientAddress.find(
            from: peer, bytes, fields, count: head.fieldCount, in: field, trusted: terms.trustedProxies)
        return field
    }

    /// Why the request goes to no backend, whatever its route.
    @inline(__always)
    private mutating func refusal(
        _ head: RequestHead, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeRawBufferPointer
    ) -> ExchangeEvent? {
        let terms = tables.current.pointee.clients
        if case .length(let count) = head.traits.framing, count > terms.bodyBytes {
            return .invalidRequest(.bodyTooLarge)
        }
        if client.pointee.redirectPort != 0 { return redirect(head, client, bytes) }
        if head.maxForwards == 0 { return .answered(.lastHop) }
        if !client.pointee.isPeerCounted {
            guard admission.enter(from: client.pointee.address, limit: terms.connectionsPerAddress) else {
                return .answered(.tooManyConnections)
            }
            client.pointee.isAddressCounted = true
        }
        return nil
    }

    /// Writes the head as it goes to backends and keeps it until a reply comes; false if it is too long.
    private mutating func keepHead(
        _ head: RequestHead, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>,
        _ bytes: UnsafeRawBufferPointer, _ trustedField: ForwardedField?, _ trace: RequestTrace
    ) -> Bool {
        guard let backend = client.pointee.route?.pointee.backends.first else { return true }
        let context = ForwardingContext(
            client: client.pointee.address, peer: client.pointee.peer.ip,
            scheme: client.pointee.isSecure ? .https : .http,
            backend: backend.address, trustedField: trustedField,
            certificateSubject: client.pointee.isSecure ? engine.subject(slot) : .empty)
        guard
            let count = RequestHeadWriter.write(
                head, of: bytes, fields: fields, context: context, trace: trace, into: headBuffer)
        else { return false }
        client.pointee.kept = keptRequests.hold(copyOf: UnsafeRawBufferPointer(rebasing: headBuffer[..<count]))
        return true
    }

    /// Keeps where the request is to be made instead.
    private mutating func redirect(
        _ head: RequestHead, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeRawBufferPointer
    ) -> ExchangeEvent {
        let port = client.pointee.redirectPort
        guard let count = SecureLocation.write(head, of: bytes, port: port, into: headBuffer) else {
            return .invalidRequest(.missingHost)
        }
        client.pointee.kept = keptRequests.hold(copyOf: UnsafeRawBufferPointer(rebasing: headBuffer[..<count]))
        return .answered(.movedToHTTPS)
    }

    @inline(__always)
    mutating func dropKeptRequest(_ client: UnsafeMutablePointer<ClientConnection>) {
        keptRequests.giveBack(&client.pointee.kept)
    }

    // The body.

    /// Takes body bytes that came before a backend is connected, if they can be kept; otherwise they wait.
    /// - Returns: what is to be done instead of `actions`, if the bytes change that.
    private mutating func takeEarlyBody(
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

    private mutating func readRequestBody(
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
