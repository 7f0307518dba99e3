import Glibc
import Posix
import TLS

/// Secured connections that this side opens.
extension TransportEngine where Base: ~Copyable {
    /// Secures a connection that was just begun, once `preamble` was sent in the clear. `connected` then comes when hands
    /// are shaken, and `connectFailed` when that fails, with why in `serverFault`.
    mutating func secure(
        _ slot: Slot, dialling client: TLSClient, at address: SocketAddress, after preamble: UnsafeRawBufferPointer,
        resuming session: TLSClientSession?
    ) {
        let link = TLSLink(dialling: address.ip.description, as: client, on: wire)
        if let session { link?.resume(session) }
        var channel = SecureChannel(dialling: client, peer: address, link: link)
        if !preamble.isEmpty { channel.preamble = pool.hold(copyOf: preamble) }
        insert(channel, slot)
    }

    /// TCP is there, and the client speaks first.
    mutating func greet(_ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>) -> Completion? {
        guard let link = channel.pointee.link else { return .connectFailed(slot, code: ENOMEM) }
        channel.pointee.state = .handshake
        guard sendPreamble(slot, channel) else { return giveUp(.closed, slot, channel) }
        wire.clear()
        wire.offer(UnsafeRawBufferPointer(start: nil, count: 0))
        guard case .waits = link.shakeHands() else { return giveUp(link.serverFault, slot, channel) }
        guard sendControl(slot, channel) else { return giveUp(.closed, slot, channel) }
        channel.pointee.receiveLimit = Scratch.headCapacity
        receiveOn(slot, channel)
        return nil
    }

    private mutating func sendPreamble(_ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>) -> Bool {
        if channel.pointee.preamble.isEmpty { return true }
        defer { pool.giveBack(&channel.pointee.preamble) }
        channel.pointee.sentWire += UInt64(channel.pointee.preamble.count)
        switch base.send(slot, channel.pointee.preamble.bytes) {
        case .done, .pending: return true
        case .failed: return false
        }
    }

    /// Carries a handshake on with bytes that came, which were offered to the wire.
    mutating func continueDialling(_ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>) -> Completion? {
        guard channel.pointee.state == .handshake, let link = channel.pointee.link else { return nil }
        let progress = link.shakeHands()
        switch progress {
        case .failed:
            let fault = link.serverFault
            // An alert says why.
            if !wire.output.isEmpty { _ = sendControl(slot, channel) }
            return giveUp(fault, slot, channel)
        case .waits, .done:
            guard wire.output.isEmpty || sendControl(slot, channel) else { return giveUp(.closed, slot, channel) }
            guard case .done = progress else {
                receiveOn(slot, channel)
                return nil
            }
            channel.pointee.state = .open
            channel.pointee.wantsReceive = false
            handshakes.countDialled(isResumed: link.isResumed)
            keepEarly(slot, channel, link)
            return .connected(slot)
        }
    }

    /// Bytes behind the handshake wait for the first receive.
    private mutating func keepEarly(_ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>, _ link: TLSLink) {
        let count = readPlain(channel, link)
        if count > 0 {
            channel.pointee.unread = pool.hold(
                copyOf: UnsafeRawBufferPointer(start: plain + Scratch.headroom, count: count))
        }
        if !wire.output.isEmpty, !sendControl(slot, channel) { channel.pointee.state = .broken }
    }

    /// The backend ended a handshake.
    mutating func giveUp(
        _ fault: ServerFault, _ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>
    ) -> Completion? {
        channel.pointee.fault = fault
        channel.pointee.state = .broken
        channel.pointee.wantsReceive = false
        return .connectFailed(slot, code: EPROTO)
    }

    /// Whether the connection is secured, and hands are still being shaken.
    func isShakingHands(_ slot: Slot) -> Bool { secured(slot)?.pointee.state == .handshake }

    /// Why a backend was refused, or refused this node; nil where TLS is not the reason.
    func serverFault(_ slot: Slot) -> ServerFault? { secured(slot)?.pointee.fault }

    /// Whether what came is perhaps not all, because its end could have been anyone's (RFC 9112, section 9.8).
    func isCutOff(_ slot: Slot) -> Bool { secured(slot)?.pointee.isCutOff ?? false }

    /// What a later connection to the same backend can resume; nil where there is nothing yet.
    func takeSession(_ slot: Slot) -> TLSClientSession? {
        guard let channel = secured(slot) else { return nil }
        switch channel.pointee.state {
        case .open, .ended: return channel.pointee.link?.takeSession()
        case .silent, .handshake, .broken: return nil
        }
    }

    /// How many bytes went to the wire for the first `plain` bytes, which are all that were sent so far.
    @inline(__always)
    func wireBytes(_ slot: Slot, of plain: UInt64) -> UInt64 { secured(slot)?.pointee.sentWire ?? plain }
}
