import CLinux
import Glibc

/// Short sends that go to the kernel together, with copies of their bytes.
struct SendBatch: ~Copyable {
    static let capacity = 256 << 10

    /// Counts the batches from 1 on, so that no channel begins in one.
    private(set) var number: UInt32 = 1
    private var used = 0
    private let bytes = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)

    deinit { bytes.deallocate() }

    @inline(__always)
    func hasRoom(for count: Int) -> Bool { count <= SendBatch.capacity - used }

    /// Copies bytes and returns where they are.
    @inline(__always)
    mutating func add(_ source: UnsafeRawBufferPointer) -> Int {
        let offset = used
        (bytes + offset).copyMemory(from: source.baseAddress!, byteCount: source.count)
        used += source.count
        return offset
    }

    @inline(__always)
    func at(_ offset: Int) -> UnsafeMutableRawPointer { bytes + offset }

    @inline(__always)
    mutating func reset() {
        if used == 0 { return }
        used = 0
        number = number == .max ? 1 : number + 1
    }
}

extension RingEngine {
    /// Longer sends are not copied but made at once.
    private static var batchedBytes: Int { 16 << 10 }

    package mutating func send(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) -> SendOutcome {
        let channel = channels + Int(slot.index)
        // Two sends of one batch could pass each other where the first falls short.
        if channel.pointee.batch == batch.number { submit() }
        if !channel.pointee.outbox.isEmpty {
            precondition(channel.pointee.backlog.isEmpty, "one send at a time")
            channel.pointee.backlog = buffers.keep(bytes)
            return .pending
        }
        if channel.pointee.sendError != 0 {
            let code = channel.pointee.sendError
            channel.pointee.sendError = 0
            return .failed(code: code)
        }
        if bytes.count > RingEngine.batchedBytes { return sendAtOnce(slot, bytes, channel) }
        if !batch.hasRoom(for: bytes.count) { submit() }
        reserve(1)
        let offset = batch.add(bytes)
        channel.pointee.batch = batch.number
        channel.pointee.batchOffset = UInt32(offset)
        channel.pointee.batchCount = UInt32(bytes.count)
        clinux_ring_send_now(
            ring, channel.pointee.descriptor, batch.at(offset), UInt32(bytes.count),
            RingTag(.sendNow, slot.index, batch.number).raw)
        return .done
    }

    private mutating func sendAtOnce(
        _ slot: Slot, _ bytes: UnsafeRawBufferPointer, _ channel: UnsafeMutablePointer<Channel>
    ) -> SendOutcome {
        var sent: Int
        repeat {
            sent = clinux_send(channel.pointee.descriptor, bytes.baseAddress!, bytes.count)
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
        if isLate || (result < 0 && result != -EAGAIN && result != -EINTR) {
            channel.pointee.sendError = isLate ? EPIPE : -result
        } else {
            let sent = max(Int(result), 0)
            let rest = UnsafeRawBufferPointer(
                start: batch.at(Int(channel.pointee.batchOffset) + sent), count: Int(channel.pointee.batchCount) - sent)
            channel.pointee.outbox = buffers.pool.hold(copyOf: rest)
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
        switch entry.result {
        case 0...: channel.pointee.outbox.removeFirst(Int(entry.result))
        case -EAGAIN, -EINTR: break
        default:
            buffers.pool.giveBack(&channel.pointee.outbox)
            buffers.pool.giveBack(&channel.pointee.backlog)
            return .sendFailed(slot, code: -entry.result)
        }
        if channel.pointee.outbox.isEmpty {
            buffers.pool.giveBack(&channel.pointee.outbox)
            swap(&channel.pointee.outbox, &channel.pointee.backlog)
        }
        if !channel.pointee.outbox.isEmpty {
            startSending(tag.index, channel)
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
    package func unsentBytes(_ slot: Slot) -> Int {
        Int(channels[Int(slot.index)].outbox.count) + Int(channels[Int(slot.index)].backlog.count)
    }
}
