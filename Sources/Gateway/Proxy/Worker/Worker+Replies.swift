import CLinux
import Posix

/// Sending to clients: heads, bodies, and responses of our own.
extension Worker where E: ~Copyable {
    /// Body bytes from which on a splice is cheaper than copying.
    private static var spliceThreshold: UInt64 { 64 << 10 }
    /// Room that a rewritten response head needs beyond the length of the one that came.
    private static var headGrowth: Int { 2048 }

    /// Forwards the final response's head with what is there of its body.
    mutating func beginReply(
        _ head: ResponseHead, _ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>,
        _ actions: ExchangeActions, _ bytes: UnsafeMutableRawBufferPointer
    ) {
        let clientSlot = upstream.pointee.client
        let client = clients[clientSlot]
        counters.pointee.countResponse(status: head.traits.status)
        client.pointee.status = head.traits.status
        client.pointee.logEntry?.pointee.status = head.traits.status
        upstream.pointee.awaitsHead = false
        upstream.pointee.body = BodyDecoder(head.traits.framing)
        dropKeptRequest(client)
        guard let written = write(head, of: UnsafeRawBufferPointer(bytes), client) else {
            return report(.clientLost, clientSlot)
        }
        let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[head.byteCount...])
        if actions.contains(.startTunnel) {
            startTunnel(slot, clientSlot, client, prepend(written, to: UnsafeRawBufferPointer(rest)))
        } else {
            forwardReply(slot, upstream, head: written, rest)
        }
    }

    /// Sends an interim response head; nil when the client is gone.
    mutating func sendInterim(
        _ head: ResponseHead, of source: UnsafeRawBufferPointer, _ slot: Slot,
        _ client: UnsafeMutablePointer<ClientConnection>
    ) -> SendOutcome {
        guard let written = write(head, of: source, client) else { return .failed(code: EMSGSIZE) }
        return send(UnsafeRawBufferPointer(written), to: slot)
    }

    /// Writes a head for the client into the room in front of `source`. Nil if it grew by more than `headGrowth`, for
    /// which no head has enough fields; the client's connection then ends, since the exchange has moved on.
    private func write(
        _ head: ResponseHead, of source: UnsafeRawBufferPointer, _ client: UnsafeMutablePointer<ClientConnection>
    ) -> UnsafeMutableRawBufferPointer? {
        let room = head.byteCount + Worker.headGrowth
        let start = UnsafeMutableRawPointer(mutating: source.baseAddress! - room)
        let target = UnsafeMutableRawBufferPointer(start: start, count: room)
        let terms = ReplyTerms(
            framing: head.traits.isInterim ? .none : client.pointee.exchange.replyFraming,
            announcesClose: client.pointee.exchange.announcesClose,
            clientVersion: client.pointee.exchange.request.version, date: date, addedFields: addedFields(client),
            cookie: cookie(client))
        guard
            let count = ResponseHeadWriter.write(head, of: source, fields: fields, terms: terms, into: target)
        else { return nil }
        return UnsafeMutableRawBufferPointer(rebasing: target[..<count])
    }

    @inline(__always)
    private func addedFields(_ client: UnsafeMutablePointer<ClientConnection>) -> UnsafeRawBufferPointer {
        client.pointee.isSecure ? listeners.terms(client.pointee.listener).addedFields : .empty
    }

    /// Tells the client's browser of its backend when that is another one than the request said.
    @inline(__always)
    private func cookie(_ client: UnsafeMutablePointer<ClientConnection>) -> UnsafeRawBufferPointer {
        let backend = client.pointee.backendIndex
        guard backend != client.pointee.stickyBackend, backend >= 0, let sticky = client.pointee.route?.pointee.sticky
        else { return .empty }
        return sticky.line(backend)
    }

    /// Moves `head` so that it ends where `body` begins.
    private func prepend(
        _ head: UnsafeMutableRawBufferPointer, to body: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        let start = UnsafeMutableRawPointer(mutating: body.baseAddress! - head.count)
        start.copyMemory(from: head.baseAddress!, byteCount: head.count)
        return UnsafeRawBufferPointer(start: start, count: head.count + body.count)
    }

    /// Forwards body bytes, behind `head` if there is one, in a single send.
    mutating func forwardReply(
        _ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>, head: UnsafeMutableRawBufferPointer?,
        _ bytes: UnsafeMutableRawBufferPointer
    ) {
        let clientSlot = upstream.pointee.client
        let client = clients[clientSlot]
        let progress: BodyProgress
        do throws(HTTPFault) {
            progress = try upstream.pointee.body.decode(bytes)
        } catch {
            return report(.invalidResponse(error), clientSlot)
        }
        client.pointee.logEntry?.pointee.bytes += UInt64(progress.data.count)
        if !progress.data.isEmpty { _ = client.pointee.exchange.handle(.responseBody) }
        let isChunked = client.pointee.exchange.replyFraming == .chunked
        var message = ScratchFraming.frame(bytes, progress, isChunked: isChunked)
        client.pointee.isReplyEnded = progress.isComplete
        if let head { message = prepend(head, to: message) }
        let outcome = message.isEmpty ? .done : send(message, to: clientSlot)
        if case .failed = outcome { return report(.clientLost, clientSlot) }
        if progress.isComplete {
            let isClean =
                progress.consumed == bytes.count && !upstream.pointee.isSendBroken && engine.unsentBytes(slot) == 0
            return report(.responseEnd(isClean: isClean), clientSlot)
        }
        switch outcome {
        case .pending: pauseReply(clientSlot, client, upstream)
        case .done, .failed: continueReply(slot, upstream, client)
        }
    }

    /// Receives on, or has the kernel move the rest of a long body that goes on as it is.
    private mutating func continueReply(
        _ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>,
        _ client: UnsafeMutablePointer<ClientConnection>
    ) {
        if let rest = upstream.pointee.body.remaining, rest >= Worker.spliceThreshold,
            client.pointee.exchange.replyFraming != .chunked,
            engine.splice(slot, to: upstream.pointee.client, count: rest)
        {
            upstream.pointee.spliced = rest
            return awaitSplice(slot, upstream)
        }
        if let route = client.pointee.route { setTimer(.responseBody, upstream: slot, route.pointee.timeouts.idle) }
        engine.receive(slot, limit: Scratch.capacity)
    }

    /// Gives a splice its time to move on.
    mutating func awaitSplice(_ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>) {
        upstream.pointee.unsplicedAtCheck = engine.unsplicedBytes(slot)
        setTimer(.splice, upstream: slot, clientTimeouts.write)
    }

    mutating func spliceEnded(_ slot: Slot) {
        let upstream = upstreams[slot]
        counters.pointee.bytesSent.increase(by: upstream.pointee.spliced)
        let client = clients[upstream.pointee.client]
        client.pointee.sentBytes += upstream.pointee.spliced
        client.pointee.logEntry?.pointee.bytes += upstream.pointee.spliced
        upstream.pointee.timer = .none
        upstream.pointee.body.skip(upstream.pointee.spliced)
        client.pointee.isReplyEnded = true
        let isClean = !upstream.pointee.isSendBroken && engine.unsentBytes(slot) == 0
        report(.responseEnd(isClean: isClean), upstream.pointee.client)
    }

    /// A client that does not read stops the reading of its backend.
    mutating func pauseReply(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>,
        _ upstream: UnsafeMutablePointer<UpstreamConnection>
    ) {
        client.pointee.afterSend.insert(.receiveFromUpstream)
        upstream.pointee.timer = .none
        awaitSend(slot, client)
    }

    /// Gives a client with a pending send its time to read.
    mutating func awaitSend(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        client.pointee.unsentAtCheck = engine.unsentBytes(slot)
        setTimer(.write, slot, clientTimeouts.write)
    }

    mutating func send(_ bytes: UnsafeRawBufferPointer, to slot: Slot) -> SendOutcome {
        counters.pointee.bytesSent.increase(by: UInt64(bytes.count))
        clients[slot].pointee.sentBytes += UInt64(bytes.count)
        return engine.send(slot, bytes)
    }

    mutating func clientSent(_ slot: Slot) {
        let client = clients[slot]
        let after = client.pointee.afterSend
        client.pointee.afterSend = []
        // An engine may find only later that it could not send at once, when nobody waits for it.
        if client.pointee.timer == .write { client.pointee.timer = .none }
        switch client.pointee.state {
        case .open:
            if after.contains(.nextRequest) { return nextRequest(slot, client) }
            let upstreamSlot = client.pointee.upstream
            guard after.contains(.receiveFromUpstream), upstreamSlot != .none else { return }
            let upstream = upstreams[upstreamSlot]
            if client.pointee.exchange.isTunnel {
                continueTunnel(upstreamSlot, slot)
            } else if upstream.pointee.awaitsHead {
                awaitResponse(upstreamSlot, upstream, client)
                engine.receive(upstreamSlot, limit: Scratch.capacity)
            } else {
                continueReply(upstreamSlot, upstream, client)
            }
        case .closing: finishClient(slot, client)
        case .introducing, .lingering, .closed: break
        }
    }

    /// The body's end, where its last bytes did not bring it along: a body that ended with its connection.
    mutating func endResponse(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        client.pointee.logEntry?.pointee.isComplete = true
        let isEnded = client.pointee.isReplyEnded
        client.pointee.isReplyEnded = true
        guard client.pointee.exchange.replyFraming == .chunked, !isEnded else { return }
        let end = ChunkFraming.bodyEnd
        _ = send(UnsafeRawBufferPointer(start: end.utf8Start, count: end.utf8CodeUnitCount), to: slot)
    }

    /// Sends a response of our own.
    mutating func respond(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        let answer = client.pointee.exchange.answer
        counters.pointee.countResponse(status: answer.status)
        client.pointee.status = answer.status
        client.pointee.isReplyEnded = true
        logAnswer(answer.status, client)
        // A client that does not even take an interim response can not be told anything.
        if engine.unsentBytes(slot) > 0 { return }
        let terms = ReplyTerms(
            framing: .none, announcesClose: client.pointee.exchange.announcesClose,
            clientVersion: client.pointee.exchange.request.version, date: date, addedFields: addedFields(client))
        var detail = detail(answer, client)
        let count = detail.withUTF8 { text in
            OwnResponse.write(
                status: answer.status, reason: answer.reason, detail: UnsafeRawBufferPointer(text),
                isHead: client.pointee.exchange.request.method == .head, terms: terms,
                retryAfterSeconds: answer.retryAfterSeconds,
                location: answer == .movedToHTTPS ? client.pointee.kept.bytes : .empty, into: answerBuffer)
        }
        _ = send(UnsafeRawBufferPointer(rebasing: answerBuffer[..<count]), to: slot)
    }

    /// A head that never became complete has no entry yet.
    private mutating func logAnswer(_ status: UInt16, _ client: UnsafeMutablePointer<ClientConnection>) {
        guard accessLog.isOn else { return }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let entry = client.pointee.logEntry ?? accessLog.beginRefused(nothing, now: now)
        entry.pointee.status = status
        entry.pointee.isComplete = true
        client.pointee.logEntry = entry
    }

    /// The upstream of a request that has a route.
    func upstreamName(of client: UnsafeMutablePointer<ClientConnection>) -> String {
        client.pointee.table!.pointee.table.takeUnretainedValue().upstreamNames[
            Int(client.pointee.route!.pointee.index)]
    }

    /// Names the upstream when it is to blame.
    private func detail(_ answer: ExchangeAnswer, _ client: UnsafeMutablePointer<ClientConnection>) -> String {
        guard let route = client.pointee.route else { return "" }
        let name = upstreamName(of: client)
        switch answer {
        case .noBackend:
            let total = route.pointee.backends.count
            return "upstream \(name): \(total - route.pointee.usableCount) of \(total) backends down or disabled"
        case .overloaded, .waitedTooLong, .backendUnreachable, .backendLost, .backendFaulty, .backendRefused,
            .connectTimeout, .responseTimeout,
            .totalTimeout:
            return "upstream \(name)"
        case .faultyRequest, .incompleteRequest, .requestTimeout, .noRoute, .lastHop, .tooManyConnections,
            .movedToHTTPS:
            return ""
        }
    }
}
