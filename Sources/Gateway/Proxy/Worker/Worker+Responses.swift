import Posix

/// What backends send, on its way to a client.
extension Worker where E: ~Copyable {
    mutating func upstreamReceived(_ slot: Slot, _ bytes: UnsafeMutableRawBufferPointer) {
        let upstream = upstreams[slot]
        switch upstream.pointee.state {
        case .racing: if secondReceived(slot, UnsafeRawBufferPointer(bytes)) { upstreamReceived(slot, bytes) }
        case .serving:
            let client = clients[upstream.pointee.client]
            if client.pointee.exchange.isTunnel {
                tunnelToClient(slot, upstream.pointee.client, client, UnsafeRawBufferPointer(bytes))
            } else if upstream.pointee.awaitsHead {
                readResponseHeads(slot, upstream, bytes)
            } else {
                forwardReply(slot, upstream, head: nil, bytes)
            }
        case .idle:
            // Nobody asked for these bytes; whatever they are, they must not answer the next request.
            pool.remove(slot, from: upstreams)
            closeUpstream(slot)
        case .connecting, .connectingSecond, .closed: break
        }
    }

    /// Takes the interim responses and the final one, as far as they are there.
    private mutating func readResponseHeads(
        _ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>, _ bytes: UnsafeMutableRawBufferPointer
    ) {
        let clientSlot = upstream.pointee.client
        let client = clients[clientSlot]
        var rest = bytes
        while true {
            let source = UnsafeRawBufferPointer(rest)
            let method = client.pointee.requestMethod
            switch ResponseParser.parse(source, to: method, fields: fields, progress: &upstream.pointee.parse) {
            case .incomplete: return awaitHead(slot, upstream, source)
            case .invalid(let fault): return refuseResponse(fault, clientSlot)
            case .complete(let head):
                upstream.pointee.parse = ParseProgress()
                upstream.pointee.hasReplied = true
                if isRejected(head.traits, clientSlot, client) { return }
                firstAnswered(clientSlot, client)
                let actions = client.pointee.exchange.handle(.response(head.traits))
                if actions.contains(.forwardResponse) {
                    return beginReply(head, slot, upstream, actions, rest)
                }
                guard client.pointee.exchange.phase == .awaiting else { return perform(actions, clientSlot) }
                rest = UnsafeMutableRawBufferPointer(rebasing: rest[head.byteCount...])
                if actions.contains(.forwardInterim) {
                    switch sendInterim(head, of: source, clientSlot, client) {
                    case .done: break
                    case .pending:
                        engine.unread(slot, UnsafeRawBufferPointer(rest))
                        return pauseReply(clientSlot, client, upstream)
                    case .failed: return report(.clientLost, clientSlot)
                    }
                }
                if rest.isEmpty { return engine.receive(slot, limit: Scratch.capacity) }
            }
        }
    }

    private mutating func awaitHead(
        _ slot: Slot, _ upstream: UnsafeMutablePointer<UpstreamConnection>, _ bytes: UnsafeRawBufferPointer
    ) {
        if !upstream.pointee.hasReplied {
            upstream.pointee.hasReplied = true
            firstAnswered(upstream.pointee.client, clients[upstream.pointee.client])
            report(.responseStarted, upstream.pointee.client)
        }
        guard bytes.count < Scratch.unreadCapacity else {
            return refuseResponse(.headTooLarge, upstream.pointee.client)
        }
        engine.unread(slot, bytes)
        engine.receiveMore(slot)
    }
}
