import Glibc

/// Bounds on the memory that one worker's connections may hold.
package struct MemoryLimits: Sendable {
    /// Bytes of unsent and unread data above which a single receive brings no more than
    /// `Scratch.headCapacity`, so that many slow readers cost little each.
    package var relaxedBytes: Int
    /// Free buffers kept for reuse, by class; more go back to the allocator.
    package var spareTiny: Int
    package var spareSmall: Int
    package var spareLarge: Int

    package init(relaxedBytes: Int = 64 << 20, spareTiny: Int = 1024, spareSmall: Int = 128, spareLarge: Int = 8) {
        self.relaxedBytes = relaxedBytes
        self.spareTiny = spareTiny
        self.spareSmall = spareSmall
        self.spareLarge = spareLarge
    }
}

/// The buffer a worker receives into, and its measures in bytes.
///
/// Received bytes lie behind a headroom, so that a message head can be rewritten in front of the body that came
/// with it and both leave in one send.
package enum Scratch {
    package static let headroom = 80 << 10
    package static let capacity = 256 << 10
    /// Room for the end of a chunk, the last chunk and an empty trailer.
    package static let tailroom = 64
    /// The most that one receive brings while a message head is expected.
    package static let headCapacity = 16 << 10
    /// The most that is held of a message head that is not complete yet.
    package static let unreadCapacity = 32 << 10

    static let total = headroom + capacity + tailroom
}

/// A buffer on loan from a `BufferPool`, with the bytes that are in use.
struct HeldBytes: BitwiseCopyable {
    enum Size: UInt32 {
        case tiny, small, large
        /// Of a length of its own, not kept for reuse.
        case huge
    }

    private static let sizeShift: UInt32 = 30
    private static let startMask: UInt32 = 1 << sizeShift - 1

    private(set) var base: UnsafeMutableRawPointer?
    /// The offset of the first byte in use, and above it the size of the buffer.
    private var startAndSize: UInt32
    private(set) var count: UInt32

    init(base: UnsafeMutableRawPointer, start: Int = 0, count: Int = 0, size: Size) {
        self.base = base
        self.count = UInt32(count)
        startAndSize = UInt32(start) | size.rawValue << HeldBytes.sizeShift
    }

    private init() {
        base = nil
        startAndSize = 0
        count = 0
    }

    static var none: HeldBytes { HeldBytes() }

    @inline(__always)
    var size: Size { Size(rawValue: startAndSize >> HeldBytes.sizeShift)! }

    @inline(__always)
    private var start: Int { Int(startAndSize & HeldBytes.startMask) }

    /// Bytes that can be written behind those in use.
    var room: Int { base == nil ? 0 : BufferPool.capacity(size) - start - Int(count) }

    @inline(__always)
    var isEmpty: Bool { count == 0 }

    @inline(__always)
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base.map { UnsafeRawPointer($0 + start) }, count: Int(count))
    }

    @inline(__always)
    mutating func removeFirst(_ removed: Int) {
        startAndSize += UInt32(removed)
        count -= UInt32(removed)
    }

    /// Counts bytes that were written behind those in use.
    @inline(__always)
    mutating func grow(by added: Int) { count += UInt32(added) }

    /// Writes behind the bytes in use; there must be room.
    fileprivate mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, let base else { return }
        (base + start + Int(count)).copyMemory(from: source, byteCount: bytes.count)
        grow(by: bytes.count)
    }
}

/// Three classes of buffers, kept in last-in first-out lists so that the warmest is used next.
struct BufferPool: ~Copyable {
    /// Most messages without a body. They lie densely, so that hundreds of them share the processor's caches.
    static let tinyCapacity = 2 << 10
    /// A head of the greatest length, and what a gateway adds to it.
    static let smallCapacity = Scratch.unreadCapacity + 4096
    /// More than an engine can have received for one connection before it stops receiving.
    static let hugeCapacity = 4 << 20

    private var tiny: FreeList
    private var small: FreeList
    private var large: FreeList
    private let relaxedBytes: Int
    /// Bytes in buffers on loan, each at its full size.
    private(set) var lentBytes = 0

    init(_ limits: MemoryLimits) {
        tiny = FreeList(limit: limits.spareTiny)
        small = FreeList(limit: limits.spareSmall)
        large = FreeList(limit: limits.spareLarge)
        relaxedBytes = limits.relaxedBytes
    }

    deinit {
        tiny.deallocate()
        small.deallocate()
        large.deallocate()
    }

    var isShort: Bool { lentBytes > relaxedBytes }

    /// A buffer of `Scratch.total` bytes.
    mutating func takeLarge() -> UnsafeMutableRawPointer { take(.large) }

    @inline(__always)
    mutating func giveBack(_ held: inout HeldBytes) {
        guard let base = held.base else { return }
        lentBytes -= BufferPool.capacity(held.size)
        switch held.size {
        case .tiny: tiny.push(base)
        case .small: small.push(base)
        case .large: large.push(base)
        case .huge: base.deallocate()
        }
        held = .none
    }

    @inline(__always)
    static func capacity(_ size: HeldBytes.Size) -> Int {
        switch size {
        case .tiny: tinyCapacity
        case .small: smallCapacity
        case .large: Scratch.total
        case .huge: hugeCapacity
        }
    }

    @inline(__always)
    private mutating func take(_ size: HeldBytes.Size) -> UnsafeMutableRawPointer {
        let capacity = BufferPool.capacity(size)
        lentBytes += capacity
        let spare: UnsafeMutableRawPointer? =
            switch size {
            case .tiny: tiny.pop()
            case .small: small.pop()
            case .large: large.pop()
            case .huge: nil
            }
        return spare ?? .allocate(byteCount: capacity, alignment: 64)
    }

    private func size(for count: Int) -> HeldBytes.Size {
        precondition(count <= BufferPool.hugeCapacity, "more bytes than any buffer holds")
        if count <= BufferPool.tinyCapacity { return .tiny }
        if count <= BufferPool.smallCapacity { return .small }
        return count <= Scratch.total ? .large : .huge
    }

    /// Copies bytes into a buffer of the size that fits.
    mutating func hold(copyOf bytes: UnsafeRawBufferPointer) -> HeldBytes {
        let size = size(for: bytes.count)
        let base = take(size)
        base.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        return HeldBytes(base: base, count: bytes.count, size: size)
    }

    /// Copies bytes behind those that are held, into a larger buffer where they need one.
    mutating func append(_ bytes: UnsafeRawBufferPointer, to held: inout HeldBytes) {
        if held.room < bytes.count {
            let size = size(for: Int(held.count) + bytes.count)
            var larger = HeldBytes(base: take(size), size: size)
            larger.write(held.bytes)
            giveBack(&held)
            held = larger
        }
        held.write(bytes)
    }
}

/// A bounded stack of free buffers.
private struct FreeList {
    private let entries: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private let limit: Int
    private var count = 0

    init(limit: Int) {
        self.limit = limit
        entries = .allocate(capacity: max(limit, 1))
    }

    @inline(__always)
    mutating func pop() -> UnsafeMutableRawPointer? {
        guard count > 0 else { return nil }
        count -= 1
        return entries[count]
    }

    @inline(__always)
    mutating func push(_ buffer: UnsafeMutableRawPointer) {
        if count == limit {
            buffer.deallocate()
            return
        }
        (entries + count).initialize(to: buffer)
        count += 1
    }

    func deallocate() {
        for index in 0..<count { entries[index].deallocate() }
        entries.deallocate()
    }
}
