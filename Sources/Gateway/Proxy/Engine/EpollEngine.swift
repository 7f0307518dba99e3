import CLinux
import Glibc
import Posix

/// The engine that runs on every Linux: edge-triggered epoll, each socket registered once for everything.
package struct EpollEngine: ~Copyable, Engine {
    /// Completions of one turn, so that timers, commands and new events are never starved.
    private static let turnBudget = 1024
    private static let wakeIndex = UInt32.max - 1
    private static let firstListener = wakeIndex - UInt32(ListenerID.maximum)

    private let poller: Poller
    let channels: UnsafeMutablePointer<Channel>
    private let capacity: Int
    private var listeners: ListenerTable
    private var ready = ReadyList()
    var splices = SpliceTable()
    var buffers: EngineBuffers
    var batch: SendBatch
    private let wake: Int32
    private var isWoken = false
    private var budget = EpollEngine.turnBudget

    package init(capacity: Int, clients: Int, wake: Int32, memory: MemoryLimits) throws(SystemError) {
        precondition(capacity > 0 && capacity < Int(EpollEngine.firstListener), "engine capacity out of range")
        let poller = try Poller(capacity: 512)
        try poller.add(wake, .read, token: UInt64(EpollEngine.wakeIndex))
        self.poller = poller
        self.wake = wake
        self.capacity = capacity
        // calloc leaves large zeroed memory untouched, so slots that are never used cost none.
        channels = calloc(capacity, MemoryLayout<Channel>.stride)!.bindMemory(to: Channel.self, capacity: capacity)
        listeners = ListenerTable()
        buffers = EngineBuffers(memory)
        batch = SendBatch(firstBackend: UInt32(clients))
    }

    deinit {
        for index in 0..<capacity where channels[index].flags.contains(.open) {
            _ = Glibc.close(channels[index].descriptor)
            channels[index].outbox.base?.deallocate()
            channels[index].backlog.base?.deallocate()
            channels[index].unread.base?.deallocate()
        }
        free(channels)
    }

    package mutating func wait(until deadline: Instant, now: Instant) throws(SystemError) {
        listeners.beginTurn(completions: EpollEngine.turnBudget - budget)
        budget = EpollEngine.turnBudget
        sendBatch()
        let timeout = ready.isEmpty && !listeners.hasFinishing ? milliseconds(from: now, to: deadline) : 0
        let count = try poller.wait(timeoutMilliseconds: timeout)
        for position in 0..<count {
            let event = poller.event(position)
            note(Token(raw: event.token), event.readiness)
        }
    }

    private mutating func note(_ token: Token, _ readiness: Readiness) {
        let index = token.slot.index
        if index == EpollEngine.wakeIndex {
            isWoken = true
        } else if index >= EpollEngine.firstListener {
            listeners.noteReadable(Int(index - EpollEngine.firstListener))
        } else {
            let channel = channels + Int(index)
            guard channel.pointee.generation == token.generation, channel.pointee.flags.contains(.open) else { return }
            channel.pointee.note(readiness)
            enqueue(index, channel)
        }
    }

    package mutating func next() -> Completion? {
        if isWoken {
            isWoken = false
            return .woken
        }
        while budget > 0, let index = ready.popFirst(channels) {
            budget -= 1
            if let completion = step(index) { return completion }
        }
        return listeners.next()
    }

    /// Does the most urgent thing that a ready slot has to do.
    private mutating func step(_ index: UInt32) -> Completion? {
        let channel = channels + Int(index)
        let slot = Slot(index)
        if channel.pointee.flags.contains(.closing) {
            channel.pointee.flags = []
            return .closed(slot)
        }
        if channel.pointee.flags.contains(.detaching) { return .detached(slot) }
        if channel.pointee.flags.contains(.connecting) { return finishConnecting(slot, channel) }
        if channel.pointee.sendError != 0 {
            let code = channel.pointee.sendError
            channel.pointee.sendError = 0
            if channel.pointee.hasWork { enqueue(index, channel) }
            return .sendFailed(slot, code: code)
        }
        if channel.pointee.splice != 0, let completion = move(Int(channel.pointee.splice)) { return completion }
        if !channel.pointee.outbox.isEmpty && channel.pointee.flags.contains(.writable) {
            if let completion = flush(slot, channel) { return completion }
        }
        if channel.pointee.canReceive { return fill(slot, channel) }
        if channel.pointee.hasWork {
            channel.pointee.flags.insert(.errorReported)
            return .reset(slot)
        }
        return nil
    }

    @inline(__always)
    mutating func enqueue(_ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        if channel.pointee.flags.contains(.queued) { return }
        channel.pointee.flags.insert(.queued)
        ready.append(index, channels)
    }

    private func milliseconds(from now: Instant, to deadline: Instant) -> Int32 {
        if deadline == .distantFuture { return -1 }
        let (rest, _) = deadline.nanoseconds.subtractingReportingOverflow(now.nanoseconds)
        guard deadline.nanoseconds > now.nanoseconds else { return 0 }
        return Int32(min((rest + 999_999) / 1_000_000, 60_000))
    }

    package mutating func accept(on listener: ListenerID, descriptor: Int32) throws(SystemError) {
        try watch(listener, descriptor)
        listeners.add(listener, descriptor: descriptor)
    }

    private func watch(_ listener: ListenerID, _ descriptor: Int32) throws(SystemError) {
        try poller.add(descriptor, .read, token: UInt64(EpollEngine.firstListener) + UInt64(listener.value))
    }

    package mutating func pauseAccepting(on listener: ListenerID) {
        if let descriptor = listeners.pause(listener) { poller.remove(descriptor) }
    }

    package mutating func resumeAccepting(on listener: ListenerID) {
        guard let descriptor = listeners.resume(listener) else { return }
        do throws(SystemError) {
            try watch(listener, descriptor)
        } catch {
            _ = listeners.pause(listener)
            Log.error("proxy: cannot listen again: \(error)")
        }
    }

    package mutating func finishAccepting(on listener: ListenerID) { listeners.finish(listener) }

    package mutating func removeListener(_ listener: ListenerID) {
        if let descriptor = listeners.remove(listener) { poller.remove(descriptor) }
    }

    package mutating func adopt(_ descriptor: Int32, as slot: Slot) throws(SystemError) {
        try register(FileDescriptor(owning: descriptor), as: slot, flags: .open)
    }

    package mutating func connect(_ slot: Slot, to address: SocketAddress) throws(SystemError) {
        let socket = try Socket.startConnecting(to: address)
        try register(socket, as: slot, flags: [.open, .connecting])
    }

    private mutating func register(
        _ socket: consuming FileDescriptor, as slot: Slot, flags: Channel.Flags
    ) throws(SystemError) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags == [], "the slot is still in use")
        let token = Token(slot, generation: channel.pointee.generation)
        try poller.add(socket.raw, [.read, .write, .peerClosed, .edgeTriggered], token: token.raw)
        channel.pointee.descriptor = socket.take()
        channel.pointee.flags = flags
    }

    private mutating func finishConnecting(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        guard channel.pointee.flags.contains(.writable) else { return nil }
        channel.pointee.flags.remove(.connecting)
        let code = Socket.pendingError(channel.pointee.descriptor)
        return code == 0 ? .connected(slot) : .connectFailed(slot, code: code)
    }

    @inline(__always)
    package mutating func receive(_ slot: Slot, limit: Int) { wantReceive(slot, limit, []) }

    package mutating func receiveMore(_ slot: Slot) {
        let held = Int(channels[Int(slot.index)].unread.count)
        precondition(held < Scratch.unreadCapacity, "more is wanted although no more can be held")
        wantReceive(slot, min(Scratch.headCapacity, Scratch.unreadCapacity - held), .wantsMore)
    }

    private mutating func wantReceive(_ slot: Slot, _ limit: Int, _ more: Channel.Flags) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags.isSuperset(of: .open), "the slot is not open")
        channel.pointee.flags.remove(.wantsMore)
        channel.pointee.flags.formUnion(more.union(.wantsReceive))
        channel.pointee.receiveLimit = UInt32(limit)
        if channel.pointee.canReceive { enqueue(slot.index, channel) }
    }

    package mutating func unread(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.unread.isEmpty, "bytes can be put back once a receive")
        if bytes.isEmpty { return }
        channel.pointee.unread = buffers.pool.hold(copyOf: bytes)
    }

    /// Completes a receive from unread bytes, the socket, or both.
    private mutating func fill(_ slot: Slot, _ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        let data = buffers.scratch + Scratch.headroom
        if !channel.pointee.unread.isEmpty && !channel.pointee.flags.contains(.wantsMore) {
            let count = buffers.takeUnread(channel, to: data)
            return received(slot, channel, UnsafeMutableRawBufferPointer(start: data, count: count))
        }
        let held = Int(channel.pointee.unread.count)
        var limit = Int(channel.pointee.receiveLimit)
        if buffers.pool.isShort { limit = min(limit, Scratch.headCapacity) }
        let count = clinux_receive(channel.pointee.descriptor, data, limit)
        if count > 0 {
            if count < limit && !channel.pointee.flags.contains(.ended) { channel.pointee.flags.remove(.readable) }
            let start = data - held
            _ = buffers.takeUnread(channel, to: start)
            return received(slot, channel, UnsafeMutableRawBufferPointer(start: start, count: held + count))
        }
        if count == 0 {
            channel.pointee.flags.subtract([.readable, .wantsReceive])
            return .receivedEnd(slot)
        }
        let code = errno
        if code == EINTR || code == EAGAIN {
            if code == EAGAIN { channel.pointee.flags.remove(.readable) } else { enqueue(slot.index, channel) }
            return nil
        }
        channel.pointee.flags.subtract([.readable, .wantsReceive])
        channel.pointee.flags.insert(.errorReported)
        return .receiveFailed(slot, code: code)
    }

    @inline(__always)
    private mutating func received(
        _ slot: Slot, _ channel: UnsafeMutablePointer<Channel>, _ bytes: UnsafeMutableRawBufferPointer
    ) -> Completion {
        channel.pointee.flags.remove(.wantsReceive)
        return .received(slot, bytes)
    }

    package mutating func stop() { sendBatch() }

    package mutating func detach(_ slot: Slot) {
        let channel = channels + Int(slot.index)
        precondition(channel.pointee.flags.contains(.open) && unsentBytes(slot) == 0, "the socket is still needed")
        poller.remove(channel.pointee.descriptor)
        channel.pointee.flags = channel.pointee.flags.intersection([.open, .queued]).union(.detaching)
        enqueue(slot.index, channel)
    }

    package mutating func takeDetached(_ slot: Slot) -> DetachedSocket {
        let channel = channels + Int(slot.index)
        return channel.pointee.detach(&buffers.pool)
    }

    @inline(__always)
    package func mayHaveInput(_ slot: Slot) -> Bool {
        channels[Int(slot.index)].flags.contains(.readable) || !channels[Int(slot.index)].unread.isEmpty
    }

    package mutating func share(_ slot: Slot) {
        let channel = channels + Int(slot.index)
        channel.pointee.flags.insert(.shared)
    }

    package func descriptor(_ slot: Slot) -> Int32 { channels[Int(slot.index)].descriptor }

    package var isDrained: Bool { true }

    package func localAddress(_ slot: Slot) -> SocketAddress? {
        Socket.localAddress(of: channels[Int(slot.index)].descriptor)
    }

    package func acknowledgedBytes(_ slot: Slot) -> UInt64 {
        clinux_acknowledged_bytes(channels[Int(slot.index)].descriptor)
    }
}
