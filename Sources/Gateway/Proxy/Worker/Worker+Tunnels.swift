import Posix

/// Bytes that pass both ways after a switch of protocols, RFC 9110 section 7.8.
extension Worker where E: ~Copyable {
    /// Sends the 101 head, with what came behind it, and opens both ways.
    mutating func startTunnel(
        _ upstream: Slot, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>,
        _ bytes: UnsafeRawBufferPointer
    ) {
        let connection = upstreams[upstream]
        connection.pointee.timer = .none
        client.pointee.deadline = .distantFuture
        client.pointee.logEntry?.pointee.isComplete = true
        // A backend that switches before it has read the whole request is listened to, but told nothing yet.
        if engine.unsentBytes(upstream) == 0 { engine.receive(slot, limit: Scratch.capacity) }
        tunnelToClient(upstream, slot, client, bytes)
    }

    mutating func tunnelToClient(
        _ upstream: Slot, _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>,
        _ bytes: UnsafeRawBufferPointer
    ) {
        client.pointee.logEntry?.pointee.bytes += UInt64(bytes.count)
        switch send(bytes, to: slot) {
        case .done: continueTunnel(upstream, slot)
        case .pending:
            client.pointee.afterSend.insert(.receiveFromUpstream)
            awaitSend(slot, client)
        case .failed: report(.clientLost, slot)
        }
    }

    /// Receives on from the backend.
    mutating func continueTunnel(_ upstream: Slot, _ slot: Slot) {
        setTimer(.tunnel, slot, clientTimeouts.tunnel)
        engine.receive(upstream, limit: Scratch.capacity)
    }

    mutating func tunnelToUpstream(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeRawBufferPointer
    ) {
        let upstream = client.pointee.upstream
        switch engine.send(upstream, bytes) {
        case .done:
            if client.pointee.timer == .tunnel { setTimer(.tunnel, slot, clientTimeouts.tunnel) }
            engine.receive(slot, limit: Scratch.capacity)
        case .pending: break
        case .failed: report(.upstreamLost(.possible), slot)
        }
    }
}
