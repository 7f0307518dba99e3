import CLinux
import Glibc
import Posix

extension EpollEngine {
    package mutating func send(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) -> SendOutcome {
        let channel = channels + Int(slot.index)
        // Two sends of one batch could pass each other where the first falls short.
        if channel.pointee.batch == batch.number {
            if batch.extend(bytes, channel) { return .done }
            sendBatch()
        }
        if let outcome = buffers.queue(bytes, channel) { return outcome }
        if bytes.count <= SendBatch.longest {
            if !batch.hasRoom(for: bytes.count) { sendBatch() }
            batch.add(bytes, slot.index, channel)
            return .done
        }
        let sent = write(bytes, to: channel.pointee.descriptor, endFollows: false)
        if sent == bytes.count { return .done }
        if sent < 0 && errno != EAGAIN { return .failed(code: errno) }
        channel.pointee.flags.remove(.writable)
        channel.pointee.outbox = buffers.keep(UnsafeRawBufferPointer(rebasing: bytes[max(sent, 0)...]))
        return .pending
    }

    mutating func sendBatch() {
        for position in 0..<batch.count {
            let entry = batch[position]
            sendOfBatch(entry.bytes, Slot(entry.index), channels + Int(entry.index))
        }
        batch.reset()
    }

    @inline(__always)
    private mutating func sendOfBatch(
        _ bytes: UnsafeRawBufferPointer, _ slot: Slot, _ channel: UnsafeMutablePointer<Channel>
    ) {
        let closes = channel.pointee.flags.contains(.closesWhenSent)
        let sent = write(bytes, to: channel.pointee.descriptor, endFollows: closes)
        if sent == bytes.count {
            if closes { release(slot, channel) }
        } else if sent >= 0 || errno == EAGAIN {
            channel.pointee.flags.remove(.writable)
            channel.pointee.outbox = buffers.pool.hold(copyOf: UnsafeRawBufferPointer(rebasing: bytes[max(sent, 0)...]))
        } else if closes {
            release(slot, channel)
        } else {
            channel.pointee.sendError = errno
            enqueue(slot.index, channel)
        }
    }

    @inline(__always)
    private func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, endFollows: Bool) -> Int {
        while true {
            let sent = clinux_send(descriptor, bytes.baseAddress!, bytes.count, endFollows)
            if sent >= 0 || errno != EINTR { return sent }
        }
    }

    /// Sends what had to wait for the socket.
    mutating func flush(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        let bytes = channel.pointee.outbox.bytes
        let sent = write(bytes, to: channel.pointee.descriptor, endFollows: false)
        guard sent >= 0 || errno == EAGAIN else { return flushFailed(slot, channel, code: errno) }
        if sent < bytes.count { channel.pointee.flags.remove(.writable) }
        let isDone = !buffers.advance(channel, by: max(sent, 0))
        if isDone && channel.pointee.flags.contains(.closesWhenSent) {
            release(slot, channel)
            return nil
        }
        if channel.pointee.hasWork { enqueue(slot.index, channel) }
        if !isDone { return nil }
        if channel.pointee.flags.contains(.finishing) { shutdown(channel.pointee.descriptor, Int32(SHUT_WR)) }
        return .sent(slot)
    }

    private mutating func flushFailed(
        _ slot: Slot, _ channel: UnsafeMutablePointer<Channel>, code: Int32
    ) -> Completion? {
        if channel.pointee.flags.contains(.closesWhenSent) {
            release(slot, channel)
            return nil
        }
        buffers.pool.giveBack(&channel.pointee.outbox)
        buffers.pool.giveBack(&channel.pointee.backlog)
        if channel.pointee.hasWork { enqueue(slot.index, channel) }
        return .sendFailed(slot, code: code)
    }

    @inline(__always)
    package mutating func settle(_ slot: Slot) {
        if channels[Int(slot.index)].batch == batch.number { sendBatch() }
    }

    @inline(__always)
    package func unsentBytes(_ slot: Slot) -> Int {
        Int(channels[Int(slot.index)].outbox.count) + Int(channels[Int(slot.index)].backlog.count)
    }

    @inline(__always)
    package func hasRoomToSend(_ slot: Slot) -> Bool { channels[Int(slot.index)].backlog.isEmpty }

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
        switch manner {
        case .orderly: break
        case .reset: Socket.resetWhenClosed(channel.pointee.descriptor)
        }
        channel.pointee.endShared(manner)
        release(slot, channel)
    }

    package mutating func closeWhenSent(_ slot: Slot) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags.contains(.open), "the slot is not open")
        if channel.pointee.batch == batch.number || unsentBytes(slot) > 0 {
            channel.pointee.flags.insert(.closesWhenSent)
        } else {
            release(slot, channel)
        }
    }

    private mutating func release(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) {
        if channel.pointee.splice != 0 { splices.end(Int(channel.pointee.splice), channels) }
        channel.pointee.endShared(.orderly)
        _ = Glibc.close(channel.pointee.descriptor)
        channel.pointee.generation &+= 1
        channel.pointee.sendError = 0
        buffers.giveBackAll(channel)
        channel.pointee.flags = channel.pointee.flags.contains(.queued) ? [.closing, .queued] : .closing
        enqueue(slot.index, channel)
    }
}
