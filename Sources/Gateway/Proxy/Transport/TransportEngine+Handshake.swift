import Posix
import TLS

extension TransportEngine where Base: ~Copyable {
    enum Step {
        case done, waits, failed
    }

    /// Carries a handshake on with bytes that came. A failed one ends like a connection whose client has gone: what is
    /// still to be said, an alert mostly, is on its way.
    mutating func shakeHands(
        _ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>, _ bytes: UnsafeRawBufferPointer
    ) -> Step {
        if channel.pointee.state == .silent {
            if let fault = Self.obviousFault(bytes) { return refuse(fault, slot, channel) }
            guard case .serves(let server) = channel.pointee.role,
                let link = TLSLink(serving: server.takeUnretainedValue(), on: wire)
            else { return refuse(.malformed, slot, channel) }
            channel.pointee.link = link
            channel.pointee.state = .handshake
        }
        guard channel.pointee.state == .handshake, let link = channel.pointee.link else { return .failed }
        let progress = link.shakeHands()
        let isSent = wire.output.isEmpty || sendControl(slot, channel)
        switch progress {
        case .failed(let fault): return refuse(fault, slot, channel)
        case .waits, .done:
            guard isSent else { return refuse(.aborted, slot, channel) }
            guard case .done = progress else { return .waits }
            channel.pointee.state = .open
            handshakes.count(isResumed: link.isResumed)
            keepSubject(channel, link)
            return .done
        }
    }

    /// What the first byte tells: a handshake record's type is 22 (RFC 8446, section 5.1), and no method begins with it.
    private static func obviousFault(_ bytes: UnsafeRawBufferPointer) -> HandshakeFault? {
        guard let first = bytes.first, first != 22 else { return nil }
        return UInt8(ascii: "A")...UInt8(ascii: "Z") ~= first ? .plainHTTP : .malformed
    }

    private mutating func refuse(
        _ fault: HandshakeFault, _ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>
    ) -> Step {
        handshakes.note(fault, from: channel.pointee.peer)
        channel.pointee.state = .broken
        channel.pointee.wantsReceive = false
        if fault == .plainHTTP {
            let text = Self.plainAnswer
            _ = base.send(slot, UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }
        return .failed
    }

    private static var plainAnswer: StaticString {
        """
        HTTP/1.1 400 Bad Request\r
        Content-Type: text/plain; charset=utf-8\r
        Connection: close\r
        Content-Length: 74\r
        \r
        400 Bad Request: this port speaks HTTPS; use https:// instead of http://.

        """
    }

    private mutating func keepSubject(_ channel: UnsafeMutablePointer<SecureChannel>, _ link: TLSLink) {
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
            let count = link.peerSubject(into: buffer)
            if count > 0 {
                channel.pointee.subject = pool.hold(copyOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    /// The subject of the client's verified certificate, empty without one.
    func subject(_ slot: Slot) -> UnsafeRawBufferPointer {
        guard let channel = secured(slot) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return channel.pointee.subject.bytes
    }

    /// Says that nothing more comes, where that can still be said.
    private mutating func sayEnd(_ slot: Slot) {
        guard let channel = secured(slot), channel.pointee.state == .open || channel.pointee.state == .ended,
            !channel.pointee.hasSaidEnd, let link = channel.pointee.link, base.hasRoomToSend(slot)
        else { return }
        wire.clear()
        link.sayEnd()
        if !wire.output.isEmpty { _ = base.send(slot, wire.output) }
        channel.pointee.hasSaidEnd = true
    }

    private mutating func noteUnfinished(_ slot: Slot) {
        guard let channel = secured(slot), channel.pointee.state == .handshake, !channel.pointee.isDialled else {
            return
        }
        handshakes.note(.timeout, from: channel.pointee.peer)
        channel.pointee.state = .broken
    }

    // Ends.

    mutating func finishSending(_ slot: Slot) {
        noteUnfinished(slot)
        sayEnd(slot)
        base.finishSending(slot)
    }

    mutating func close(_ slot: Slot, _ manner: CloseManner) {
        noteUnfinished(slot)
        switch manner {
        case .orderly: sayEnd(slot)
        case .reset: break
        }
        base.close(slot, manner)
    }

    mutating func closeWhenSent(_ slot: Slot) {
        noteUnfinished(slot)
        sayEnd(slot)
        base.closeWhenSent(slot)
    }
}
