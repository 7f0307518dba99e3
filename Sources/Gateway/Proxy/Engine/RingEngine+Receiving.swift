import CLinux
import Glibc

extension RingEngine {
    /// Bytes that may wait unwanted while the kernel goes on receiving: pipelined requests, mostly.
    private static var unwantedBytes: Int { 16 << 10 }
    /// What comes in such amounts is received in larger pieces from then on.
    private static var bulk: Int { Scratch.unreadCapacity }

    @inline(__always)
    package mutating func receive(_ slot: Slot, limit: Int) { wantReceive(slot, limit, []) }

    package mutating func receiveMore(_ slot: Slot) {
        let held = Int(channels[Int(slot.index)].unread.count)
        precondition(held < Scratch.unreadCapacity, "more is wanted although no more can be held")
        wantReceive(slot, min(Scratch.headCapacity, Scratch.unreadCapacity - held), .wantsMore)
    }

    private mutating func wantReceive(_ slot: Slot, _ limit: Int, _ more: Channel.Flags) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags.contains(.open), "the slot is not open")
        channel.pointee.flags.remove(.wantsMore)
        channel.pointee.flags.formUnion(more.union(.wantsReceive))
        channel.pointee.receiveLimit = UInt32(limit)
        let hasBytes = !channel.pointee.unread.isEmpty && more.isEmpty
        if hasBytes || channel.pointee.receiveError != 0 || channel.pointee.flags.contains(.readable) {
            enqueue(slot.index, channel)
        } else {
            arm(slot.index, channel)
        }
    }

    /// Has the kernel receive, or tell when there is something to receive.
    private mutating func arm(_ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        let flags = channel.pointee.flags
        if !flags.isDisjoint(with: [.armed, .disarming, .pollsInput]) { return }
        let isMessage = channel.pointee.receiveLimit <= RingEngine.bulk
        if flags.contains(.bulky) || !isMessage || buffers.pool.isShort { return pollInput(index, channel) }
        channel.pointee.flags.insert(.armed)
        reserve(1)
        clinux_ring_receive(ring, channel.pointee.descriptor, tag(.receive, index, channel))
    }

    /// Stops receiving into provided buffers.
    mutating func disarm(_ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        channel.pointee.flags.insert(.bulky)
        if channel.pointee.flags.contains(.disarming) { return }
        channel.pointee.flags.insert(.disarming)
        reserve(1)
        cancel(.receive, index, channel)
    }

    /// The kernel has filled a provided buffer, or will fill none any more.
    @inline(__always)
    mutating func received(
        _ entry: clinux_completion, _ tag: RingTag, _ channel: UnsafeMutablePointer<Channel>
    ) -> Completion? {
        var entry = entry
        let hasBuffer = clinux_completion_has_buffer(&entry)
        guard isCurrent(tag, channel) else {
            if hasBuffer { clinux_ring_release(ring, &entry) }
            return nil
        }
        if !clinux_completion_has_more(&entry) {
            channel.pointee.flags.subtract([.armed, .disarming])
            if channel.pointee.flags.contains(.detaching) { enqueue(tag.index, channel) }
        }
        guard entry.result > 0, hasBuffer else { return receiveEnded(-entry.result, tag.index, channel) }
        let slot = Slot(tag.index)
        guard channel.pointee.flags.contains(.wantsReceive) else {
            hold(entry, channel)
            if channel.pointee.flags.contains(.armed), channel.pointee.unread.count > RingEngine.unwantedBytes {
                disarm(tag.index, channel)
            }
            return nil
        }
        let held = Int(channel.pointee.unread.count)
        precondition(held <= Scratch.unreadCapacity, "unread bytes are delivered before new ones are taken")
        let start = buffers.data - held
        _ = buffers.takeUnread(channel, to: start)
        var total = held + empty(entry, into: start + held)
        let limit = min(Int(channel.pointee.receiveLimit), Scratch.capacity - Int(ring.pointee.buffer_size))
        while total - held < limit, let following = takeFollowing(tag, channel) {
            total += empty(following, into: start + total)
        }
        if total - held >= RingEngine.bulk, channel.pointee.flags.contains(.armed) { disarm(tag.index, channel) }
        channel.pointee.flags.remove(.wantsReceive)
        return .received(slot, UnsafeMutableRawBufferPointer(start: start, count: total))
    }

    @inline(__always)
    private func empty(_ entry: clinux_completion, into target: UnsafeMutableRawPointer) -> Int {
        var entry = entry
        target.copyMemory(from: clinux_ring_received(ring, &entry), byteCount: Int(entry.result))
        clinux_ring_release(ring, &entry)
        return Int(entry.result)
    }

    private mutating func hold(_ entry: clinux_completion, _ channel: UnsafeMutablePointer<Channel>) {
        var entry = entry
        let bytes = UnsafeRawBufferPointer(start: clinux_ring_received(ring, &entry), count: Int(entry.result))
        buffers.pool.append(bytes, to: &channel.pointee.unread)
        clinux_ring_release(ring, &entry)
    }

    /// The end, an error, or only the end of being armed.
    private mutating func receiveEnded(
        _ code: Int32, _ index: UInt32, _ channel: UnsafeMutablePointer<Channel>
    ) -> Completion? {
        let slot = Slot(index)
        let isWanted = channel.pointee.flags.contains(.wantsReceive)
        switch code {
        case 0:
            // When nobody wants to know, arming brings it again.
            guard isWanted else { return nil }
            channel.pointee.flags.remove(.wantsReceive)
            return .receivedEnd(slot)
        case ENOBUFS, ECANCELED, EINTR, EAGAIN:
            if isWanted { enqueue(index, channel) }
            return nil
        default:
            channel.pointee.receiveError = code
            if isWanted {
                enqueue(index, channel)
                return nil
            }
            if channel.pointee.flags.contains(.errorReported) { return nil }
            channel.pointee.flags.insert(.errorReported)
            return .reset(slot)
        }
    }

    /// Completes a receive from unread bytes or from the socket, or has the kernel tell when it can be.
    mutating func fill(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        if !channel.pointee.unread.isEmpty && !channel.pointee.flags.contains(.wantsMore) {
            return deliverUnread(slot, channel)
        }
        if channel.pointee.receiveError != 0 {
            channel.pointee.flags.remove(.wantsReceive)
            channel.pointee.flags.insert(.errorReported)
            return .receiveFailed(slot, code: channel.pointee.receiveError)
        }
        guard channel.pointee.flags.contains(.readable) else {
            arm(slot.index, channel)
            return nil
        }
        return receiveNow(slot, channel)
    }

    /// As much as the scratch buffer takes; the rest comes with the next receive.
    private mutating func deliverUnread(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) -> Completion {
        let bytes = UnsafeRawBufferPointer(rebasing: channel.pointee.unread.bytes.prefix(Scratch.capacity))
        buffers.data.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        if bytes.count == channel.pointee.unread.count {
            buffers.pool.giveBack(&channel.pointee.unread)
        } else {
            channel.pointee.unread.removeFirst(bytes.count)
        }
        channel.pointee.flags.remove(.wantsReceive)
        return .received(slot, UnsafeMutableRawBufferPointer(start: buffers.data, count: bytes.count))
    }

    private mutating func receiveNow(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        var limit = Int(channel.pointee.receiveLimit)
        if buffers.pool.isShort { limit = min(limit, Scratch.headCapacity) }
        let count = clinux_receive(channel.pointee.descriptor, buffers.data, limit)
        if count > 0 {
            if count < limit {
                channel.pointee.flags.remove(.readable)
                if limit <= RingEngine.bulk { channel.pointee.flags.remove(.bulky) }
            }
            let held = Int(channel.pointee.unread.count)
            let start = buffers.data - held
            _ = buffers.takeUnread(channel, to: start)
            channel.pointee.flags.remove(.wantsReceive)
            return .received(slot, UnsafeMutableRawBufferPointer(start: start, count: held + count))
        }
        channel.pointee.flags.remove(.readable)
        if count == 0 {
            channel.pointee.flags.remove(.wantsReceive)
            return .receivedEnd(slot)
        }
        return receiveEnded(errno, slot.index, channel)
    }

    package mutating func unread(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) {
        let channel = channels + Int(slot.index)
        if bytes.isEmpty { return }
        guard channel.pointee.unread.isEmpty else { return unreadInFront(bytes, channel) }
        channel.pointee.unread = buffers.pool.hold(copyOf: bytes)
    }

    /// More waits behind what was delivered: only after a burst that no scratch buffer takes at once.
    private mutating func unreadInFront(_ bytes: UnsafeRawBufferPointer, _ channel: UnsafeMutablePointer<Channel>) {
        var all = buffers.pool.hold(copyOf: bytes)
        buffers.pool.append(channel.pointee.unread.bytes, to: &all)
        buffers.pool.giveBack(&channel.pointee.unread)
        channel.pointee.unread = all
    }

    @inline(__always)
    package func mayHaveInput(_ slot: Slot) -> Bool {
        channels[Int(slot.index)].flags.contains(.readable) || !channels[Int(slot.index)].unread.isEmpty
    }
}
