import Glibc
import Posix

/// One deadline a slot, with coarse ticks and constant-time operations.
///
/// A deadline that moves later costs one store: the entry stays in its bucket and is moved on when the bucket
/// comes round. Deadlines never fire early; they fire at most one tick late.
package struct TimerWheel: ~Copyable {
    /// 2^24 ns, about 17 ms.
    private static let tickShift: UInt64 = 24
    private static let bucketCount: UInt64 = 1024
    private static let bucketMask = bucketCount - 1
    private static let absent = UInt32.max

    private struct Entry: BitwiseCopyable {
        /// In ticks, zero when there is no deadline.
        var deadline: UInt64
        /// The tick whose bucket the entry is linked in, zero when it is in none.
        var linkedTick: UInt64
        var next: UInt32
        var previous: UInt32
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let capacity: Int
    private let buckets: UnsafeMutablePointer<UInt32>
    /// One bit a bucket, set while the bucket has entries.
    private let occupied: UnsafeMutablePointer<UInt64>
    /// The tick whose bucket is looked at next.
    private var currentTick: UInt64
    private var linkedCount = 0

    package init(capacity: Int, now: Instant) {
        self.capacity = capacity
        // calloc leaves large zeroed memory untouched, so slots that are never used cost none.
        entries = calloc(capacity, MemoryLayout<Entry>.stride)!.bindMemory(to: Entry.self, capacity: capacity)
        buckets = .allocate(capacity: Int(TimerWheel.bucketCount))
        buckets.initialize(repeating: TimerWheel.absent, count: Int(TimerWheel.bucketCount))
        occupied = .allocate(capacity: Int(TimerWheel.bucketCount / 64))
        occupied.initialize(repeating: 0, count: Int(TimerWheel.bucketCount / 64))
        currentTick = now.nanoseconds >> TimerWheel.tickShift
    }

    deinit {
        free(entries)
        buckets.deallocate()
        occupied.deallocate()
    }

    /// Sets or replaces the slot's deadline.
    @inline(__always)
    package mutating func set(_ slot: Slot, at deadline: Instant) {
        precondition(Int(slot.index) < capacity)
        let tick = (deadline.nanoseconds >> TimerWheel.tickShift) &+ 1
        let entry = entries + Int(slot.index)
        entry.pointee.deadline = tick
        if entry.pointee.linkedTick != 0 && entry.pointee.linkedTick <= tick { return }
        if entry.pointee.linkedTick != 0 { unlink(slot.index) }
        link(slot.index)
    }

    @inline(__always)
    package mutating func cancel(_ slot: Slot) {
        precondition(Int(slot.index) < capacity)
        entries[Int(slot.index)].deadline = 0
    }

    /// Takes one slot whose deadline has passed, nil when there is none.
    package mutating func expire(now: Instant) -> Slot? {
        let nowTick = now.nanoseconds >> TimerWheel.tickShift
        while currentTick <= nowTick {
            if linkedCount == 0 {
                currentTick = nowTick
                return nil
            }
            let index = buckets[Int(currentTick & TimerWheel.bucketMask)]
            if index == TimerWheel.absent {
                if currentTick == nowTick { return nil }
                currentTick += 1
                continue
            }
            unlink(index)
            let entry = entries + Int(index)
            if entry.pointee.deadline == 0 { continue }
            if entry.pointee.deadline <= currentTick {
                entry.pointee.deadline = 0
                return Slot(index)
            }
            link(index)
        }
        return nil
    }

    /// When `expire` is worth calling again. It can be earlier than the earliest deadline, never later.
    package func nextDeadline() -> Instant {
        guard linkedCount > 0 else { return .distantFuture }
        let words = TimerWheel.bucketCount / 64
        var tick = currentTick
        for _ in 0...words {
            let word = (tick & TimerWheel.bucketMask) / 64
            let bits = occupied[Int(word)] >> (tick & 63)
            if bits != 0 {
                return Instant(nanoseconds: (tick + UInt64(bits.trailingZeroBitCount)) << TimerWheel.tickShift)
            }
            tick = (tick | 63) + 1
        }
        preconditionFailure("linked entries, but every bucket is marked empty")
    }

    /// Links into the bucket of the deadline, or into the furthest one when the deadline lies beyond all.
    private mutating func link(_ index: UInt32) {
        let entry = entries + Int(index)
        let furthest = currentTick + TimerWheel.bucketCount - 1
        let tick = max(min(entry.pointee.deadline, furthest), currentTick)
        let bucket = Int(tick & TimerWheel.bucketMask)
        let head = buckets[bucket]
        entry.pointee.linkedTick = max(tick, 1)
        entry.pointee.next = head
        entry.pointee.previous = TimerWheel.absent
        if head != TimerWheel.absent { entries[Int(head)].previous = index }
        buckets[bucket] = index
        occupied[bucket / 64] |= 1 << UInt64(bucket % 64)
        linkedCount += 1
    }

    private mutating func unlink(_ index: UInt32) {
        let entry = entries + Int(index)
        let bucket = Int(entry.pointee.linkedTick & TimerWheel.bucketMask)
        let (next, previous) = (entry.pointee.next, entry.pointee.previous)
        if next != TimerWheel.absent { entries[Int(next)].previous = previous }
        if previous != TimerWheel.absent {
            entries[Int(previous)].next = next
        } else {
            buckets[bucket] = next
            if next == TimerWheel.absent { occupied[bucket / 64] &= ~(1 << UInt64(bucket % 64)) }
        }
        entry.pointee.linkedTick = 0
        linkedCount -= 1
    }
}
