import Glibc
import Posix
import TLS

/// What a worker moves bytes with: an engine, with TLS on those connections that have it.
///
/// Towards the worker both kinds are alike. A plain connection costs one look at a table a call, and none as long as no
/// connection is secured. Ciphertext is decrypted from where the engine received it into one buffer of the thread, and
/// encrypted into another; a secured connection at rest holds only what OpenSSL keeps of it.
struct TransportEngine<Base: Engine & ~Copyable>: ~Copyable {
    /// Ciphertext that is asked for at once.
    private static var wireLimit: Int { Scratch.capacity - (32 << 10) }
    /// Plain text of one receive: of as much ciphertext as an engine brings, which can be a buffer more than was asked for
    /// behind what it held, of a record that OpenSSL has begun, and what was unread.
    private static var plainCapacity: Int { Scratch.capacity + (96 << 10) }
    private static var plainTotal: Int { Scratch.headroom + plainCapacity + Scratch.tailroom }
    /// Ciphertext of as much plain text as can be sent at once: a record of 16 KB grows by less than 64 bytes.
    private static var wireCapacity: Int { plainTotal + plainTotal / 256 + (4 << 10) }

    var base: Base
    /// By slot; nil for a plain one.
    let channels: UnsafeMutablePointer<UnsafeMutablePointer<SecureChannel>?>
    private let capacity: Int
    /// How many are secured.
    var count = 0
    let wire: TLSWire
    var pool: BufferPool
    /// Where plain text is put: behind the headroom.
    let plain: UnsafeMutableRawPointer
    /// Secured slots that can go on without an event.
    private var ready: [Slot] = []
    var handshakes: HandshakeReport

    init(
        capacity: Int, clients: Int, wake: Int32, memory: MemoryLimits, counters: UnsafeMutablePointer<WorkerCounters>
    ) throws(SystemError) {
        let wire: TLSWire
        do throws(TLSFailure) { wire = try TLSWire(capacity: Self.wireCapacity) } catch {
            throw SystemError("set up", "TLS", code: ENOMEM)
        }
        base = try Base(capacity: capacity, clients: clients, wake: wake, memory: memory)
        self.wire = wire
        // calloc leaves large zeroed memory untouched, so slots that are never used cost none.
        channels = calloc(capacity, MemoryLayout<UnsafeMutablePointer<SecureChannel>?>.stride)!
            .bindMemory(to: UnsafeMutablePointer<SecureChannel>?.self, capacity: capacity)
        self.capacity = capacity
        pool = BufferPool(memory)
        plain = .allocate(byteCount: Self.plainTotal, alignment: 64)
        handshakes = HandshakeReport(counters)
    }

    deinit {
        for index in 0..<capacity {
            guard count > 0, let channel = channels[index] else { continue }
            channel.pointee.unread.base?.deallocate()
            channel.pointee.subject.base?.deallocate()
            channel.pointee.preamble.base?.deallocate()
            channel.pointee.free()
            channel.deinitialize(count: 1)
            channel.deallocate()
        }
        free(channels)
        plain.deallocate()
    }

    /// The secured channel of a slot, nil for a plain one.
    @inline(__always)
    func secured(_ slot: Slot) -> UnsafeMutablePointer<SecureChannel>? {
        count == 0 ? nil : channels[Int(slot.index)]
    }

    /// Secures a connection that was just adopted, before anything else is asked of it.
    mutating func secure(_ slot: Slot, with server: TLSServer, peer: SocketAddress) {
        insert(SecureChannel(serving: server, peer: peer), slot)
    }

    mutating func insert(_ secured: SecureChannel, _ slot: Slot) {
        let channel = UnsafeMutablePointer<SecureChannel>.allocate(capacity: 1)
        channel.initialize(to: secured)
        channels[Int(slot.index)] = channel
        count += 1
    }

    private mutating func forget(_ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>) {
        pool.giveBack(&channel.pointee.unread)
        pool.giveBack(&channel.pointee.subject)
        pool.giveBack(&channel.pointee.preamble)
        channel.pointee.free()
        if channel.pointee.isQueued { ready.removeAll { $0 == slot } }
        channel.deinitialize(count: 1)
        channel.deallocate()
        channels[Int(slot.index)] = nil
        count -= 1
    }

    mutating func wait(until deadline: Instant, now: Instant) throws(SystemError) {
        try base.wait(until: ready.isEmpty ? deadline : .zero, now: now)
    }

    @inline(__always)
    mutating func next() -> Completion? {
        if !ready.isEmpty, let completion = nextReady() { return completion }
        while let completion = base.next() {
            if count == 0 { return completion }
            if let translated = translate(completion) { return translated }
        }
        return nil
    }

    /// What a secured slot can complete by itself.
    private mutating func nextReady() -> Completion? {
        while let slot = ready.popLast() {
            guard let channel = channels[Int(slot.index)] else { continue }
            channel.pointee.isQueued = false
            guard channel.pointee.wantsReceive else { continue }
            channel.pointee.wantsReceive = false
            if !channel.pointee.unread.isEmpty, !channel.pointee.wantsMore {
                let target = UnsafeMutableRawBufferPointer(start: plain, count: Self.plainTotal)
                let held = channel.pointee.unread.bytes
                let bytes = UnsafeMutableRawBufferPointer(rebasing: target[Scratch.headroom...].prefix(held.count))
                bytes.copyMemory(from: held)
                pool.giveBack(&channel.pointee.unread)
                return .received(slot, bytes)
            }
            switch channel.pointee.state {
            case .ended: return .receivedEnd(slot)
            case .broken: return .receiveFailed(slot, code: EPROTO)
            case .silent, .handshake, .open: receiveOn(slot, channel)
            }
        }
        return nil
    }

    /// What an engine's completion means to the worker; nil when it means nothing yet.
    private mutating func translate(_ completion: Completion) -> Completion? {
        switch completion {
        case .received(let slot, let bytes):
            guard let channel = channels[Int(slot.index)] else { return completion }
            return decrypt(slot, channel, UnsafeRawBufferPointer(bytes))
        case .receivedEnd(let slot), .receiveFailed(let slot, _):
            guard let channel = channels[Int(slot.index)] else { return completion }
            if channel.pointee.isDialled, channel.pointee.state == .handshake { return giveUp(.closed, slot, channel) }
            channel.pointee.isCutOff = channel.pointee.state == .open
            endReceiving(channel)
            return completion
        case .reset(let slot):
            guard let channel = channels[Int(slot.index)] else { return completion }
            // A backend's last words are read first, and then the loss.
            if !channel.pointee.isDialled { endReceiving(channel) }
            return completion
        case .connected(let slot):
            guard let channel = channels[Int(slot.index)] else { return completion }
            return greet(slot, channel)
        case .closed(let slot):
            if let channel = channels[Int(slot.index)] { forget(slot, channel) }
            return completion
        case .accepted, .acceptFailed, .acceptFinished, .connectFailed, .sent, .sendFailed, .spliced,
            .detached, .woken:
            return completion
        }
    }

    private mutating func endReceiving(_ channel: UnsafeMutablePointer<SecureChannel>) {
        channel.pointee.wantsReceive = false
        if channel.pointee.state == .handshake { handshakes.note(.aborted, from: channel.pointee.peer) }
        channel.pointee.state = .broken
    }

    // Receiving.

    @inline(__always)
    mutating func receive(_ slot: Slot, limit: Int) {
        guard let channel = secured(slot) else { return base.receive(slot, limit: limit) }
        wantReceive(slot, channel, limit, more: false)
    }

    @inline(__always)
    mutating func receiveMore(_ slot: Slot) {
        guard let channel = secured(slot) else { return base.receiveMore(slot) }
        wantReceive(slot, channel, Scratch.headCapacity, more: true)
    }

    private mutating func wantReceive(
        _ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>, _ limit: Int, more: Bool
    ) {
        channel.pointee.wantsReceive = true
        channel.pointee.wantsMore = more
        channel.pointee.receiveLimit = limit
        let hasBytes = !channel.pointee.unread.isEmpty && !more
        switch channel.pointee.state {
        case .silent, .handshake, .open:
            if hasBytes { enqueue(slot, channel) } else { receiveOn(slot, channel) }
        case .ended, .broken: enqueue(slot, channel)
        }
    }

    private mutating func enqueue(_ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>) {
        if channel.pointee.isQueued { return }
        channel.pointee.isQueued = true
        ready.append(slot)
    }

    mutating func receiveOn(_ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>) {
        channel.pointee.wantsReceive = true
        base.receive(slot, limit: min(channel.pointee.receiveLimit, Self.wireLimit))
    }

    private mutating func decrypt(
        _ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>, _ bytes: UnsafeRawBufferPointer
    ) -> Completion? {
        wire.clear()
        wire.offer(bytes)
        if channel.pointee.state != .open {
            if channel.pointee.isDialled { return continueDialling(slot, channel) }
            switch shakeHands(slot, channel, bytes) {
            case .done: break
            case .waits:
                receiveOn(slot, channel)
                return nil
            case .failed: return .receivedEnd(slot)
            }
        }
        guard let link = channel.pointee.link else { return nil }
        return deliver(slot, channel, readPlain(channel, link))
    }

    /// Decrypts what was offered to the wire; the number of bytes that there are now.
    mutating func readPlain(_ channel: UnsafeMutablePointer<SecureChannel>, _ link: TLSLink) -> Int {
        let data = plain + Scratch.headroom
        var total = 0
        reading: while total < Self.plainCapacity {
            let room = UnsafeMutableRawBufferPointer(start: data + total, count: Self.plainCapacity - total)
            switch link.read(into: room) {
            case .bytes(let count):
                total += count
                if wire.isRead, !link.hasPending { break reading }
            case .nothing: break reading
            case .end:
                channel.pointee.state = .ended
                break reading
            case .failed:
                if channel.pointee.isDialled { channel.pointee.fault = link.serverFault }
                channel.pointee.state = .broken
                break reading
            }
        }
        // Nothing that was received may be lost unnoticed.
        if channel.pointee.state == .open, !wire.isRead { channel.pointee.state = .broken }
        return total
    }

    private mutating func deliver(
        _ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>, _ total: Int
    ) -> Completion? {
        // Alerts, and answers to a change of keys.
        if !wire.output.isEmpty, !sendControl(slot, channel) { channel.pointee.state = .broken }
        if total > 0 {
            channel.pointee.wantsReceive = false
            let held = Int(channel.pointee.unread.count)
            let start = plain + Scratch.headroom - held
            if held > 0 {
                start.copyMemory(from: channel.pointee.unread.bytes.baseAddress!, byteCount: held)
                pool.giveBack(&channel.pointee.unread)
            }
            return .received(slot, UnsafeMutableRawBufferPointer(start: start, count: held + total))
        }
        switch channel.pointee.state {
        case .silent, .handshake, .open:
            receiveOn(slot, channel)
            return nil
        case .ended:
            channel.pointee.wantsReceive = false
            return .receivedEnd(slot)
        case .broken:
            channel.pointee.wantsReceive = false
            return .receiveFailed(slot, code: EPROTO)
        }
    }

    @inline(__always)
    mutating func unread(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) {
        guard let channel = secured(slot) else { return base.unread(slot, bytes) }
        precondition(channel.pointee.unread.isEmpty, "bytes can be put back once a receive")
        if !bytes.isEmpty { channel.pointee.unread = pool.hold(copyOf: bytes) }
    }

    // Sending.

    @inline(__always)
    mutating func send(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) -> SendOutcome {
        guard let channel = secured(slot) else { return base.send(slot, bytes) }
        return encrypt(slot, channel, bytes)
    }

    private mutating func encrypt(
        _ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>, _ bytes: UnsafeRawBufferPointer
    ) -> SendOutcome {
        switch channel.pointee.state {
        case .open, .ended: break
        // Whoever has not shaken hands can not be told anything.
        case .silent, .handshake: return .done
        case .broken: return .failed(code: EPROTO)
        }
        wire.clear()
        // A peer that asks for control messages and does not read them has used up the room for answers.
        guard !channel.pointee.hasSaidEnd, base.hasRoomToSend(slot), let link = channel.pointee.link, link.write(bytes)
        else {
            return .failed(code: EPROTO)
        }
        channel.pointee.sentWire += UInt64(wire.output.count)
        return base.send(slot, wire.output)
    }

    /// Sends what OpenSSL says of its own accord; false when the peer reads none of it.
    mutating func sendControl(_ slot: Slot, _ channel: UnsafeMutablePointer<SecureChannel>) -> Bool {
        base.settle(slot)
        guard base.unsentBytes(slot) == 0 else { return false }
        channel.pointee.sentWire += UInt64(wire.output.count)
        switch base.send(slot, wire.output) {
        case .done, .pending: break
        case .failed: return false
        }
        wire.clear()
        return true
    }
}
