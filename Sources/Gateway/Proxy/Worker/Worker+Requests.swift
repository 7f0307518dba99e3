import Posix

/// What clients send: heads, and to whom they belong.
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
}
