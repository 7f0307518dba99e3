/// The buffers of an engine: the one it receives into, and those that connections hold.
struct EngineBuffers: ~Copyable {
    var pool: BufferPool
    private(set) var scratch: UnsafeMutableRawPointer

    init(_ memory: MemoryLimits) {
        pool = BufferPool(memory)
        scratch = pool.takeLarge()
    }

    deinit { scratch.deallocate() }

    /// Where received bytes are put: behind the headroom.
    @inline(__always)
    var data: UnsafeMutableRawPointer { scratch + Scratch.headroom }

    /// Moves all unread bytes of a channel to `target`.
    @inline(__always)
    mutating func takeUnread(_ channel: UnsafeMutablePointer<Channel>, to target: UnsafeMutableRawPointer) -> Int {
        let count = Int(channel.pointee.unread.count)
        if count == 0 { return 0 }
        target.copyMemory(from: channel.pointee.unread.bytes.baseAddress!, byteCount: count)
        pool.giveBack(&channel.pointee.unread)
        return count
    }

    /// Keeps bytes past a call: a short rest is copied; a long one in the scratch buffer takes it along.
    mutating func keep(_ rest: UnsafeRawBufferPointer) -> HeldBytes {
        let offset = rest.baseAddress! - UnsafeRawPointer(scratch)
        if rest.count <= BufferPool.smallCapacity || offset < 0 || offset >= Scratch.total {
            return pool.hold(copyOf: rest)
        }
        let held = HeldBytes(base: scratch, start: offset, count: rest.count, size: .large)
        scratch = pool.takeLarge()
        return held
    }
}
