import Posix
import Synchronization

/// Whole lines on their way from one worker to the writer: a ring of bytes with one thread at each end.
final class AccessLogQueue: @unchecked Sendable {
    private let capacity: Int
    private let base: UnsafeMutableRawPointer
    /// Bytes ever put in, by the worker, and taken out, by the writer.
    private let head = Atomic<Int>(0)
    private let tail = Atomic<Int>(0)
    /// Lines that found no room.
    private let droppedLines = Atomic<UInt64>(0)
    private let signal: AccessLogSignal

    init(capacity: Int, signal: AccessLogSignal) {
        self.capacity = capacity
        self.signal = signal
        base = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { base.deallocate() }

    var dropped: UInt64 { droppedLines.load(ordering: .relaxed) }

    /// Only the worker calls this.
    func put(_ line: UnsafeRawBufferPointer) {
        let start = head.load(ordering: .relaxed)
        let used = start - tail.load(ordering: .acquiring)
        guard line.count <= capacity - used else { return droppedLines.increase() }
        let offset = start & (capacity - 1)
        let first = min(line.count, capacity - offset)
        (base + offset).copyMemory(from: line.baseAddress!, byteCount: first)
        if first < line.count { base.copyMemory(from: line.baseAddress! + first, byteCount: line.count - first) }
        // In one order with the writer's going to sleep: it sees the line, or this sees that it sleeps.
        head.store(start + line.count, ordering: .sequentiallyConsistent)
        let isHalfFull = used <= capacity / 2 && used + line.count > capacity / 2
        signal.lineIsThere(isUrgent: isHalfFull)
    }

    var isEmpty: Bool { head.load(ordering: .sequentiallyConsistent) == tail.load(ordering: .relaxed) }

    /// Hands all that is there to `body`, in one or two parts that end with a line. Only the writer calls this.
    /// - Returns: whether there was anything.
    func take(_ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        let end = head.load(ordering: .acquiring)
        var start = tail.load(ordering: .relaxed)
        if start == end { return false }
        while start < end {
            let offset = start & (capacity - 1)
            let count = min(end - start, capacity - offset)
            body(UnsafeRawBufferPointer(start: base + offset, count: count))
            start += count
            tail.store(start, ordering: .releasing)
        }
        return true
    }
}

/// Wakes the writer. It looks by itself every `pause` while there is much to write, so that a busy worker makes no
/// system call a line.
final class AccessLogSignal: Sendable {
    /// Between two batches.
    static let pauseMilliseconds: Int32 = 20

    private let isAsleep = Atomic<Bool>(false)
    private let event: WakeEvent

    init() throws(SystemError) { event = try WakeEvent() }

    var descriptor: Int32 { event.raw }

    @inline(__always)
    func lineIsThere(isUrgent: Bool) {
        guard isUrgent || isAsleep.load(ordering: .sequentiallyConsistent) else { return }
        wake()
    }

    func wake() {
        isAsleep.store(false, ordering: .relaxed)
        event.signal()
    }

    /// The writer is about to wait for `descriptor` without end.
    func fallAsleep() { isAsleep.store(true, ordering: .sequentiallyConsistent) }

    func awake() {
        isAsleep.store(false, ordering: .relaxed)
        event.clear()
    }
}
