import CLinux
import Glibc

extension RingEngine {
    package mutating func send(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) -> SendOutcome {
        let channel = channels + Int(slot.index)
        // Two sends of one batch could pass each other where the first falls short.
        if channel.pointee.batch == batch.number {
            if batch.extend(bytes, channel) { return .done }
            submit()
        }
        if let outcome = buffers.queue(bytes, channel) { return outcome }
        if bytes.count > SendBatch.longest { return sendAtOnce(slot, bytes, channel) }
        if !batch.hasRoom(for: bytes.count) { submit() }
        batch.add(bytes, slot.index, channel)
        // For its entries.
        reserve(0)
        return .done
    }

    /// Writes the entries of the batch, of which the ring has room for.
    mutating func writeBatch() {
        if batch.isWritten || batch.count == 0 { return }
        for position in 0..<batch.count {
            let entry = batch[position]
            let channel = channels + Int(entry.index)
            let closes = channel.pointee.flags.contains(.closesWhenSent)
            if closes { cancelAll(entry.index, channel) }
            clinux_ring_send_now(
                ring, channel.pointee.descriptor, entry.bytes.baseAddress!, UInt32(entry.bytes.count), closes,
                RingTag(.sendNow, entry.index, batch.number).raw)
            if closes {
                // Carried out only if all was sent.
                clinux_ring_close_descriptor(ring, channel.pointee.descriptor, RingTag.none.raw)
                channel.pointee.flags.insert(.closing)
                enqueue(entry.index, channel)
            }
        }
        batch.markWritten()
    }

    private mutating func sendAtOnce(
        _ slot: Slot, _ bytes: UnsafeRawBufferPointer, _ channel: UnsafeMutablePointer<Channel>
    ) -> SendOutcome {
        var sent: Int
        repeat {
            sent = clinux_send(channel.pointee.descriptor, bytes.baseAddress!, bytes.count, false)
        } while sent < 0
            && errno == EINTR
        if sent == bytes.count { return .done }
        if sent < 0 && errno != EAGAIN { return .failed(code: errno) }
        channel.pointee.outbox = buffers.keep(UnsafeRawBufferPointer(rebasing: bytes[max(sent, 0)...]))
        startSending(slot.index, channel)
        return .pending
    }

    /// A send of the batch that the kernel did not carry out in full.
    mutating func fellShort(_ tag: RingTag, _ result: Int32) {
        let channel = channels + Int(tag.index)
        guard channel.pointee.batch & RingTag.generationMask == tag.generation,
            channel.pointee.flags.contains(.open)
        else { return }
        // A completion that comes after its batch has nothing left to send again.
        let isLate = channel.pointee.batch != batch.number
        let isFatal = isLate || (result < 0 && result != -EAGAIN && result != -EINTR)
        // It was not closed then.
        channel.pointee.flags.remove(.closing)
        if !isFatal {
            let rest = UnsafeRawBufferPointer(rebasing: batch.bytes(of: channel)[max(Int(result), 0)...])
            channel.pointee.outbox = buffers.pool.hold(copyOf: rest)
        } else if !channel.pointee.flags.contains(.closesWhenSent) {
            channel.pointee.sendError = isLate ? EPIPE : -result
        }
        enqueue(tag.index, channel)
    }

    /// Has the kernel send what it did not take.
    mutating func startSending(_ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        if channel.pointee.outbox.isEmpty || channel.pointee.flags.contains(.sending) { return }
        channel.pointee.flags.insert(.sending)
        reserve(1)
        let bytes = channel.pointee.outbox.bytes
        clinux_ring_send(
            ring, channel.pointee.descriptor, bytes.baseAddress!, UInt32(bytes.count), tag(.send, index, channel))
    }

    /// The kernel has let go of the outbox.
    mutating func sent(
        _ entry: clinux_completion, _ tag: RingTag, _ channel: UnsafeMutablePointer<Channel>
    ) -> Completion? {
        channel.pointee.flags.remove(.sending)
        guard channel.pointee.flags.contains(.open) else {
            buffers.pool.giveBack(&channel.pointee.outbox)
            enqueue(tag.index, channel)
            return nil
        }
        let slot = Slot(tag.index)
        let closes = channel.pointee.flags.contains(.closesWhenSent)
        switch entry.result {
        case 0..., -EAGAIN, -EINTR:
            if buffers.advance(channel, by: max(Int(entry.result), 0)) {
                startSending(tag.index, channel)
                return nil
            }
        default:
            buffers.pool.giveBack(&channel.pointee.outbox)
            buffers.pool.giveBack(&channel.pointee.backlog)
            if !closes { return .sendFailed(slot, code: -entry.result) }
        }
        if closes {
            close(slot, .orderly)
            return nil
        }
        if channel.pointee.flags.contains(.finishing) { shutdown(channel.pointee.descriptor, Int32(SHUT_WR)) }
        return .sent(slot)
    }

    @inline(__always)
    package mutating func settle(_ slot: Slot) {
        if channels[Int(slot.index)].batch == batch.number { submit() }
    }

    @inline(__always)
    package func hasRoomToSend(_ slot: Slot) -> Bool { channels[Int(slot.index)].backlog.isEmpty }

    @inline(__always)
    package func unsentBytes(_ slot: Slot) -> Int {
        Int(channels[Int(slot.index)].outbox.count) + Int(channels[Int(slot.index)].backlog.count)
    }
}
