/// Short sends that are made together at the end of a turn, with copies of their bytes.
///
/// One call after the other they wake each receiver once instead of again and again, and need less of the processor's
/// caches. Those to backends come first: the backends work on them while the others are made.
struct SendBatch: ~Copyable {
    /// Longer sends are not copied but made at once.
    static let longest = 16 << 10
    /// Sends of one batch: the first of a turn are not to wait for all others.
    static let maximumCount = 128
    private static let capacity = 256 << 10

    struct Entry: BitwiseCopyable {
        let index: UInt32
        let bytes: UnsafeRawBufferPointer
    }

    /// Counts the batches from 1 on, so that no channel begins in one.
    private(set) var number: UInt32 = 1
    /// Whether the entries are with a ring already.
    private(set) var isWritten = false
    private let firstBackend: UInt32
    private let storage = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
    private var used = 0
    /// Sends to backends from the front, those to clients from the back.
    private let entries = UnsafeMutablePointer<Entry>.allocate(capacity: maximumCount)
    private var toBackends = 0
    private var toClients = 0

    /// - Parameter firstBackend: the first slot that is no client's.
    init(firstBackend: UInt32) { self.firstBackend = firstBackend }

    deinit {
        storage.deallocate()
        entries.deallocate()
    }

    var count: Int { toBackends + toClients }

    @inline(__always)
    func hasRoom(for bytes: Int) -> Bool {
        bytes <= SendBatch.capacity - used && count < SendBatch.maximumCount && !isWritten
    }

    /// The entry that is sent as the one at `position`, from 0 to `count` − 1.
    @inline(__always)
    subscript(position: Int) -> Entry {
        entries[position < toBackends ? position : SendBatch.maximumCount - 1 - (position - toBackends)]
    }

    /// Copies bytes that a channel is to send; there must be room.
    @inline(__always)
    mutating func add(_ bytes: UnsafeRawBufferPointer, _ index: UInt32, _ channel: UnsafeMutablePointer<Channel>) {
        let start = storage + used
        start.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        used += bytes.count
        let place: Int
        if index >= firstBackend {
            place = toBackends
            toBackends += 1
        } else {
            toClients += 1
            place = SendBatch.maximumCount - toClients
        }
        let copy = UnsafeRawBufferPointer(start: start, count: bytes.count)
        (entries + place).initialize(to: Entry(index: index, bytes: copy))
        channel.pointee.batch = number
        channel.pointee.batchPlace = UInt32(place)
    }

    /// Puts more bytes behind what the channel has in this batch, if nothing of another one came after it; false if so.
    @inline(__always)
    mutating func extend(_ bytes: UnsafeRawBufferPointer, _ channel: UnsafeMutablePointer<Channel>) -> Bool {
        let place = Int(channel.pointee.batchPlace)
        let entry = entries[place]
        let end = entry.bytes.baseAddress! + entry.bytes.count
        guard !isWritten, end == storage + used, bytes.count <= SendBatch.longest - entry.bytes.count,
            bytes.count <= SendBatch.capacity - used
        else { return false }
        UnsafeMutableRawPointer(mutating: end).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        used += bytes.count
        let all = UnsafeRawBufferPointer(start: entry.bytes.baseAddress!, count: entry.bytes.count + bytes.count)
        entries[place] = Entry(index: entry.index, bytes: all)
        return true
    }

    /// What the channel has in this batch.
    @inline(__always)
    func bytes(of channel: UnsafeMutablePointer<Channel>) -> UnsafeRawBufferPointer {
        entries[Int(channel.pointee.batchPlace)].bytes
    }

    mutating func markWritten() { isWritten = true }

    @inline(__always)
    mutating func reset() {
        if count == 0 { return }
        used = 0
        toBackends = 0
        toClients = 0
        isWritten = false
        number = number == .max ? 1 : number + 1
    }
}

extension EngineBuffers {
    /// Sees to bytes that earlier ones of the channel stand in the way of; nil when none do.
    @inline(__always)
    mutating func queue(
        _ bytes: UnsafeRawBufferPointer, _ channel: UnsafeMutablePointer<Channel>
    ) -> SendOutcome? {
        if !channel.pointee.outbox.isEmpty {
            precondition(channel.pointee.backlog.isEmpty, "one send at a time")
            channel.pointee.backlog = keep(bytes)
            return .pending
        }
        if channel.pointee.sendError != 0 {
            let code = channel.pointee.sendError
            channel.pointee.sendError = 0
            return .failed(code: code)
        }
        return nil
    }

    /// Forgets bytes at the front of the outbox that were sent; false when nothing is left to be sent.
    mutating func advance(_ channel: UnsafeMutablePointer<Channel>, by sent: Int) -> Bool {
        channel.pointee.outbox.removeFirst(sent)
        if channel.pointee.outbox.isEmpty {
            pool.giveBack(&channel.pointee.outbox)
            swap(&channel.pointee.outbox, &channel.pointee.backlog)
        }
        return !channel.pointee.outbox.isEmpty
    }

    mutating func giveBackAll(_ channel: UnsafeMutablePointer<Channel>) {
        pool.giveBack(&channel.pointee.outbox)
        pool.giveBack(&channel.pointee.backlog)
        pool.giveBack(&channel.pointee.unread)
    }
}
