import CLinux
import Glibc
import Posix
import Synchronization

/// The engine for kernels from 6.1 on that allow io_uring: many operations for one system call.
///
/// Connections are armed once: what a peer sends then comes into provided buffers of the kernel's choice, without a
/// call. Short sends are gathered and handed over at the end of a turn. What is long, or comes faster than it is
/// wanted, goes the way it does in `EpollEngine`: received into one large buffer, or spliced. So a slow reader still
/// stops the reading of its peer.
package struct RingEngine: ~Copyable, Engine {
    /// Completions of one turn, so that timers, commands and new events are never starved.
    private static let turnBudget = 1024
    private static let entries: UInt32 = 1024
    private static let completions: UInt32 = 4096
    /// Filled densely, so that few do and stay in the processor's second cache. What one receive brings beyond its limit is
    /// less than one of them.
    private static let sharedBuffers = clinux_buffers(count: wantsWholeBuffers ? 0 : 16, size: 16 << 10)
    private static let wholeBuffers = clinux_buffers(count: 256, size: 8 << 10)
    /// So that a newer kernel can be tested with what those before 6.12 have.
    private static let wantsWholeBuffers = getenv("GWNODE_WHOLE_BUFFERS") != nil

    let ring: UnsafeMutablePointer<clinux_ring>
    let channels: UnsafeMutablePointer<Channel>
    private let capacity: Int
    private var listeners = ListenerTable()
    /// Count the times that each listener was watched, so that older polls are told apart.
    private var listenerGenerations = [UInt32](repeating: 0, count: ListenerID.maximum)
    private var ready = ReadyList()
    var splices = SpliceTable()
    var buffers: EngineBuffers
    var batch: SendBatch
    private let wake: Int32
    private var isWakeWatched = false
    /// The completions from `position` on wait to be taken; of those before `seen` the sends are dealt with.
    private var position: UInt32 = 0
    private var seen: UInt32 = 0
    private var budget = RingEngine.turnBudget

    /// Why this process can not have such an engine; nil if it can.
    package static func obstacle() -> SystemError? {
        // A thread that has set up a ring is interrupted when that ring ends: none that lives on is to be.
        let probe = RingProbe()
        do throws(SystemError) {
            try Thread(name: "ring-probe") { probe.run() }.join()
            return probe.obstacle
        } catch {
            return error
        }
    }

    package init(capacity: Int, clients: Int, wake: Int32, memory: MemoryLimits) throws(SystemError) {
        precondition(capacity > 0 && capacity < Int(UInt32.max), "engine capacity out of range")
        let ring = UnsafeMutablePointer<clinux_ring>.allocate(capacity: 1)
        ring.initialize(to: clinux_ring())
        let code = clinux_ring_open(
            ring, RingEngine.entries, RingEngine.completions, RingEngine.sharedBuffers, RingEngine.wholeBuffers)
        guard code == 0 else {
            ring.deallocate()
            throw SystemError("io_uring_setup", code: code)
        }
        self.ring = ring
        self.wake = wake
        self.capacity = capacity
        // calloc leaves large zeroed memory untouched, so slots that are never used cost none.
        channels = calloc(capacity, MemoryLayout<Channel>.stride)!.bindMemory(to: Channel.self, capacity: capacity)
        buffers = EngineBuffers(memory)
        batch = SendBatch(firstBackend: UInt32(clients))
    }

    deinit {
        clinux_ring_close(ring)
        ring.deallocate()
        for index in 0..<capacity where channels[index].flags.contains(.open) {
            // Behind the last send the kernel has closed it, and the number may be somebody else's by now.
            if !channels[index].flags.contains(.closing) { _ = Glibc.close(channels[index].descriptor) }
            channels[index].outbox.base?.deallocate()
            channels[index].backlog.base?.deallocate()
            channels[index].unread.base?.deallocate()
        }
        free(channels)
    }

    package var isDrained: Bool {
        position == clinux_ring_tail(ring) && !clinux_ring_has_overflown(ring)
    }

    package mutating func stop() {
        // Sockets stay open as long as an operation refers to them, and the kernel ends a ring only some time later.
        reserve(1)
        clinux_ring_cancel_all(ring, RingTag.none.raw)
        submit()
    }

    package mutating func wait(until deadline: Instant, now: Instant) throws(SystemError) {
        listeners.beginTurn(completions: RingEngine.turnBudget - budget)
        budget = RingEngine.turnBudget
        watchWake()
        writeBatch()
        clinux_ring_advance(ring, position)
        let isIdle = ready.isEmpty && !listeners.hasFinishing && position == clinux_ring_tail(ring)
        let timeout = deadline == .distantFuture ? -1 : Int64(min((deadline - now).count, 60_000_000_000))
        let code = clinux_ring_enter(ring, isIdle ? 1 : 0, isIdle ? timeout : 0)
        if code != 0 && code != EINTR && code != EAGAIN && code != EBUSY {
            throw SystemError("io_uring_enter", code: code)
        }
        finishBatch()
    }

    private mutating func watchWake() {
        if isWakeWatched { return }
        isWakeWatched = true
        reserve(1)
        clinux_ring_poll(ring, wake, EPOLLIN.rawValue, RingTag(.wake, 0, 0).raw)
    }

    package mutating func next() -> Completion? {
        while budget > 0 {
            budget -= 1
            if let index = ready.popFirst(channels) {
                if let completion = step(index) { return completion }
            } else if position != seen {
                let entry = clinux_ring_completion(ring, position)!.pointee
                position &+= 1
                if let completion = take(entry) { return completion }
            } else {
                break
            }
        }
        return listeners.next()
    }

    /// Does the most urgent thing that a ready slot has to do.
    private mutating func step(_ index: UInt32) -> Completion? {
        let channel = channels + Int(index)
        let slot = Slot(index)
        if channel.pointee.flags.contains(.closing) { return finishClosing(slot, channel) }
        if channel.pointee.flags.contains(.detaching) {
            return channel.pointee.flags.isDisjoint(with: Channel.Flags.underWay) ? .detached(slot) : nil
        }
        if channel.pointee.flags.contains(.closesWhenSent) && channel.pointee.outbox.isEmpty {
            close(slot, .orderly)
            return nil
        }
        if channel.pointee.sendError != 0 {
            let code = channel.pointee.sendError
            channel.pointee.sendError = 0
            if channel.pointee.flags.contains(.wantsReceive) { enqueue(index, channel) }
            return .sendFailed(slot, code: code)
        }
        if channel.pointee.splice != 0, let completion = move(Int(channel.pointee.splice)) { return completion }
        startSending(index, channel)
        return channel.pointee.flags.contains(.wantsReceive) ? fill(slot, channel) : nil
    }

    /// What the kernel says of one operation.
    @inline(__always)
    private mutating func take(_ entry: clinux_completion) -> Completion? {
        let tag = RingTag(raw: entry.data)
        let channel = channels + Int(tag.index)
        switch tag.operation {
        case .receive: return received(entry, tag, channel)
        case .none, .sendNow: return nil
        case .send: return sent(entry, tag, channel)
        case .pollInput:
            guard isCurrent(tag, channel) else { return nil }
            channel.pointee.flags.remove(.pollsInput)
            channel.pointee.flags.insert(.readable)
            enqueue(tag.index, channel)
            return nil
        case .pollOutput:
            guard isCurrent(tag, channel) else { return nil }
            channel.pointee.flags.remove(.pollsOutput)
            channel.pointee.flags.insert(.writable)
            if channel.pointee.flags.contains(.connecting) { return finishConnecting(Slot(tag.index), channel) }
            enqueue(tag.index, channel)
            return nil
        case .listener:
            let index = Int(tag.index)
            guard listenerGenerations[index] & RingTag.generationMask == tag.generation, listeners.isWatched(index)
            else { return nil }
            listeners.noteReadable(index)
            // Carried out at the end of this turn, after the accepts.
            poll(ListenerID(index), listeners.descriptor(index))
            return nil
        case .wake:
            isWakeWatched = false
            return .woken
        }
    }

    /// Takes the next completion if it is of the same receive and brings bytes: the kernel often fills several buffers
    /// one after the other.
    @inline(__always)
    mutating func takeFollowing(_ tag: RingTag, _ channel: UnsafeMutablePointer<Channel>) -> clinux_completion? {
        guard position != seen else { return nil }
        var entry = clinux_ring_completion(ring, position)!.pointee
        guard entry.data == tag.raw, entry.result > 0 else { return nil }
        position &+= 1
        if !clinux_completion_has_more(&entry) { channel.pointee.flags.subtract([.armed, .disarming]) }
        return entry
    }

    @inline(__always)
    func isCurrent(_ tag: RingTag, _ channel: UnsafeMutablePointer<Channel>) -> Bool {
        channel.pointee.generation & RingTag.generationMask == tag.generation
            && channel.pointee.flags.contains(.open)
    }

    @inline(__always)
    func tag(_ operation: RingTag.Operation, _ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) -> UInt64 {
        RingTag(operation, index, channel.pointee.generation).raw
    }

    @inline(__always)
    mutating func enqueue(_ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        if channel.pointee.flags.contains(.queued) { return }
        channel.pointee.flags.insert(.queued)
        ready.append(index, channels)
    }

    /// Makes room for entries, beside those of the batch: a send each, and what may close its descriptor.
    @inline(__always)
    mutating func reserve(_ count: UInt32) {
        if !clinux_ring_has_room(ring, count + (1 + RingEngine.closingEntries) * UInt32(batch.count)) { submit() }
    }

    /// Hands all entries to the kernel now.
    mutating func submit() {
        writeBatch()
        clinux_ring_advance(ring, position)
        repeat {
            let code = clinux_ring_enter(ring, 0, 0)
            precondition(code == 0 || code == EINTR || code == EAGAIN || code == EBUSY, "the ring is broken: \(code)")
        } while !clinux_ring_is_submitted(ring)
        finishBatch()
    }

    /// Sees to the sends of the batch that the kernel did not carry out in full, and frees the batch's bytes.
    private mutating func finishBatch() {
        let tail = clinux_ring_tail(ring)
        while seen != tail {
            let entry = clinux_ring_completion(ring, seen)!.pointee
            let tag = RingTag(raw: entry.data)
            if tag.operation == .sendNow { fellShort(tag, entry.result) }
            seen &+= 1
        }
        if clinux_ring_is_submitted(ring) { batch.reset() }
    }

    package mutating func accept(on listener: ListenerID, descriptor: Int32) throws(SystemError) {
        listeners.add(listener, descriptor: descriptor)
        watch(listener, descriptor)
    }

    private mutating func watch(_ listener: ListenerID, _ descriptor: Int32) {
        listenerGenerations[listener.value] &+= 1
        poll(listener, descriptor)
    }

    private mutating func poll(_ listener: ListenerID, _ descriptor: Int32) {
        reserve(1)
        clinux_ring_poll(ring, descriptor, EPOLLIN.rawValue, listenerTag(listener))
    }

    private mutating func unwatch(_ listener: ListenerID) {
        reserve(1)
        clinux_ring_cancel(ring, listenerTag(listener), RingTag.none.raw)
        // The kernel keeps the socket open until then.
        submit()
    }

    private func listenerTag(_ listener: ListenerID) -> UInt64 {
        RingTag(.listener, UInt32(listener.value), listenerGenerations[listener.value]).raw
    }

    package mutating func pauseAccepting(on listener: ListenerID) {
        if listeners.pause(listener) != nil { unwatch(listener) }
    }

    package mutating func resumeAccepting(on listener: ListenerID) {
        if let descriptor = listeners.resume(listener) { watch(listener, descriptor) }
    }

    package mutating func finishAccepting(on listener: ListenerID) { listeners.finish(listener) }

    package mutating func removeListener(_ listener: ListenerID) {
        if listeners.remove(listener) != nil { unwatch(listener) }
    }
}

private final class RingProbe: Sendable {
    private let found = Mutex<SystemError?>(nil)

    var obstacle: SystemError? { found.withLock { $0 } }

    func run() {
        var ring = clinux_ring()
        let buffers = clinux_buffers(count: 8, size: 4096)
        let code = clinux_ring_open(&ring, 8, 16, buffers, buffers)
        if code == 0 {
            clinux_ring_close(&ring)
        } else {
            found.withLock { $0 = SystemError("io_uring_setup", code: code) }
        }
    }
}
