import Posix

/// One worker's end of the access log. It allocates only when more requests than ever before are under way.
struct AccessLogger: ~Copyable {
    private let content: AccessLogContent
    private let parts: AccessLogParts
    /// Draws the successful requests that are logged.
    private var random: RandomSource
    /// Nil when nothing is logged.
    private let queue: AccessLogQueue?
    private var free: [UnsafeMutablePointer<AccessLogEntry>] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: AccessLogLine.maximumBytes, alignment: 64)
    private var stamp: AccessLogStamp
    private var stampUntil = Instant.zero

    /// Free entries kept for reuse; more go back to the allocator.
    private static let spareEntries = 1024

    init(_ queue: AccessLogQueue?, _ content: AccessLogContent, seed: UInt64) {
        self.queue = queue
        self.content = content
        parts = AccessLogParts(content)
        random = RandomSource(seed: seed)
        stamp = AccessLogStamp(.now(), content.format)
        if queue != nil { free.reserveCapacity(AccessLogger.spareEntries) }
    }

    deinit {
        for entry in free { entry.deallocate() }
        buffer.deallocate()
    }

    @inline(__always)
    var isOn: Bool { queue != nil }

    /// Keeps what the log says of a request.
    mutating func begin(
        _ head: RequestHead, of source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, _ trace: RequestTrace,
        now: Instant
    ) -> UnsafeMutablePointer<AccessLogEntry> {
        let entry = takeEntry(now)
        entry.pointee.take(head, of: source, fields, trace, content.format, parts)
        return entry
    }

    /// The same for a request whose head could not be read; `source` may be empty.
    mutating func beginRefused(
        _ source: UnsafeRawBufferPointer, now: Instant
    ) -> UnsafeMutablePointer<AccessLogEntry> {
        let entry = takeEntry(now)
        entry.pointee.takeRefused(source, content.format)
        return entry
    }

    /// Writes the line, if it is wanted, and lets go of the entry.
    mutating func end(_ entry: UnsafeMutablePointer<AccessLogEntry>, client: IPAddress, now: Instant) {
        if isWanted(entry) { write(entry, client: client, now: now) }
        if free.count < AccessLogger.spareEntries { free.append(entry) } else { entry.deallocate() }
    }

    @inline(__always)
    private mutating func isWanted(_ entry: UnsafeMutablePointer<AccessLogEntry>) -> Bool {
        content.successPercent >= 100 || entry.pointee.status >= 400 || !entry.pointee.isComplete
            || random.below(100) < UInt32(content.successPercent)
    }

    private mutating func write(
        _ entry: UnsafeMutablePointer<AccessLogEntry>, client: IPAddress, now: Instant
    ) {
        if now >= stampUntil {
            stamp = AccessLogStamp(.now(), content.format)
            stampUntil = now + .seconds(1)
        }
        let line = AccessLogLine.write(
            entry.pointee, client: client, duration: now - entry.pointee.startedAt, stamp, content, into: buffer)
        queue?.put(line)
    }

    private mutating func takeEntry(_ now: Instant) -> UnsafeMutablePointer<AccessLogEntry> {
        let entry = free.popLast() ?? AccessLogEntry.allocate()
        AccessLogEntry.reset(entry, startedAt: now)
        return entry
    }
}
