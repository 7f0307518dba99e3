import CLinux
import Glibc
import Posix

/// Opening and closing.
extension RingEngine {
    package mutating func adopt(_ descriptor: Int32, as slot: Slot) throws(SystemError) {
        register(descriptor, as: slot, flags: [.open, .writable])
    }

    package mutating func connect(_ slot: Slot, to address: SocketAddress) throws(SystemError) {
        let socket = try Socket.startConnecting(to: address)
        register(socket.take(), as: slot, flags: [.open, .connecting])
        pollOutput(slot.index, channels + Int(slot.index))
    }

    private func register(_ descriptor: Int32, as slot: Slot, flags: Channel.Flags) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags == [], "the slot is still in use")
        channel.pointee.descriptor = descriptor
        channel.pointee.flags = flags
    }

    func finishConnecting(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        channel.pointee.flags.remove(.connecting)
        let code = Socket.pendingError(channel.pointee.descriptor)
        return code == 0 ? .connected(slot) : .connectFailed(slot, code: code)
    }

    package mutating func finishSending(_ slot: Slot) {
        settle(slot)
        let channel = channels + Int(slot.index)
        if unsentBytes(slot) > 0 {
            channel.pointee.flags.insert(.finishing)
        } else {
            shutdown(channel.pointee.descriptor, Int32(SHUT_WR))
        }
    }

    package mutating func close(_ slot: Slot, _ manner: CloseManner) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags.contains(.open), "the slot is not open")
        channel.pointee.flags.remove(.closesWhenSent)
        settle(slot)
        if channel.pointee.flags.contains(.closing) { return }
        switch manner {
        case .orderly: break
        case .reset: Socket.resetWhenClosed(channel.pointee.descriptor)
        }
        if channel.pointee.splice != 0 { splices.end(Int(channel.pointee.splice), channels) }
        reserve(RingEngine.closingEntries)
        cancelAll(slot.index, channel)
        channel.pointee.endShared(manner)
        clinux_ring_close_descriptor(ring, channel.pointee.descriptor, RingTag.none.raw)
        channel.pointee.flags = channel.pointee.flags.intersection([.queued, .sending]).union(.closing)
        enqueue(slot.index, channel)
    }

    package mutating func closeWhenSent(_ slot: Slot) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags.contains(.open), "the slot is not open")
        // The close that is linked to a send would not end it.
        if channel.pointee.flags.contains(.shared) { settle(slot) }
        if channel.pointee.batch == batch.number || unsentBytes(slot) > 0 {
            channel.pointee.flags.insert(.closesWhenSent)
        } else {
            close(slot, .orderly)
        }
    }

    /// Entries that `cancelAll` and a close may take.
    static var closingEntries: UInt32 { 4 }

    /// Ends what is under way of a descriptor that is to be closed: each by its tag, which the kernel finds at once.
    /// What has to do with a descriptor it would look for among everything that is under way.
    @inline(__always)
    func cancelAll(_ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        let flags = channel.pointee.flags
        if flags.contains(.armed) && !flags.contains(.disarming) { cancel(.receive, index, channel) }
        if flags.contains(.pollsInput) { cancel(.pollInput, index, channel) }
        if flags.contains(.pollsOutput) { cancel(.pollOutput, index, channel) }
        if flags.contains(.sending) { cancel(.send, index, channel) }
    }

    @inline(__always)
    func cancel(_ operation: RingTag.Operation, _ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        clinux_ring_cancel(ring, tag(operation, index, channel), RingTag.none.raw)
    }

    /// The slot is free when the kernel no longer reads memory of it, nor has a send of it under way.
    mutating func finishClosing(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        if channel.pointee.flags.contains(.sending) { return nil }
        settle(slot)
        buffers.giveBackAll(channel)
        channel.pointee.receiveError = 0
        channel.pointee.sendError = 0
        channel.pointee.flags = []
        channel.pointee.generation &+= 1
        return .closed(slot)
    }

    package mutating func detach(_ slot: Slot) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags.contains(.open) && unsentBytes(slot) == 0, "the socket is still needed")
        channel.pointee.flags.subtract([.wantsReceive, .wantsMore])
        channel.pointee.flags.insert(.detaching)
        reserve(RingEngine.closingEntries)
        cancelAll(slot.index, channel)
        enqueue(slot.index, channel)
    }

    package mutating func takeDetached(_ slot: Slot) -> DetachedSocket {
        let channel = channels + Int(slot.index)
        return channel.pointee.detach(&buffers.pool)
    }

    package mutating func share(_ slot: Slot) {
        let channel = channels + Int(slot.index)
        channel.pointee.flags.insert(.shared)
    }

    package func descriptor(_ slot: Slot) -> Int32 { channels[Int(slot.index)].descriptor }

    package func localAddress(_ slot: Slot) -> SocketAddress? {
        Socket.localAddress(of: channels[Int(slot.index)].descriptor)
    }

    package func acknowledgedBytes(_ slot: Slot) -> UInt64 {
        clinux_acknowledged_bytes(channels[Int(slot.index)].descriptor)
    }

    package mutating func splice(_ source: Slot, to target: Slot, count: UInt64) -> Bool {
        settle(target)
        let (from, to) = (channels + Int(source.index), channels + Int(target.index))
        // An armed source may have brought some that nobody asked for; they come first.
        guard from.pointee.unread.isEmpty else { return false }
        if from.pointee.flags.contains(.armed) { disarm(source.index, from) }
        guard from.pointee.flags.isDisjoint(with: [.armed, .disarming]), to.pointee.outbox.isEmpty,
            splices.begin(from: source.index, to: target.index, count: count, channels)
        else { return false }
        from.pointee.flags.insert(.readable)
        enqueue(source.index, from)
        return true
    }

    package func unsplicedBytes(_ source: Slot) -> UInt64 { splices.remaining(from: channels[Int(source.index)]) }

    package func isSpliceHeldUp(_ source: Slot) -> Bool { splices.isHeldUp(channels[Int(source.index)]) }

    /// Moves what can be moved without waiting.
    mutating func move(_ number: Int) -> Completion? {
        let (source, target) = (splices[number].source, splices[number].target)
        switch splices.advance(number, channels) {
        case .ended(let completion): return completion
        case .moving: enqueue(source, channels + Int(source))
        case .waiting:
            let from = channels + Int(source)
            if splices[number].awaitsSource, !from.pointee.flags.contains(.readable) { pollInput(source, from) }
            if splices[number].awaitsTarget { pollOutput(target, channels + Int(target)) }
        }
        return nil
    }

    mutating func pollInput(_ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        if channel.pointee.flags.contains(.pollsInput) { return }
        channel.pointee.flags.insert(.pollsInput)
        reserve(1)
        let events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
        clinux_ring_poll(ring, channel.pointee.descriptor, events, tag(.pollInput, index, channel))
    }

    mutating func pollOutput(_ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        if channel.pointee.flags.contains(.pollsOutput) { return }
        channel.pointee.flags.insert(.pollsOutput)
        reserve(1)
        clinux_ring_poll(ring, channel.pointee.descriptor, EPOLLOUT.rawValue, tag(.pollOutput, index, channel))
    }
}
