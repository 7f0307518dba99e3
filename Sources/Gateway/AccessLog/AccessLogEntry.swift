import Posix

/// What is kept of a request until its end. It lies in front of a buffer of `textBytes`, which has the texts, escaped
/// already.
struct AccessLogEntry {
    static let textBytes = 2304
    private static let lineLimit = 1024
    private static let hostLimit = 128
    private static let fieldLimit = 384
    private static let identityLimit = 160

    private let base: UnsafeMutableRawPointer
    let startedAt: Instant
    /// 499 until there is an answer: the client went away before.
    var status: UInt16 = 499
    /// The response came to its end, and all of it is with the kernel or waits for it.
    var isComplete = false
    /// Of the response's body, without its framing; through a tunnel, all to the client.
    var bytes: UInt64 = 0
    /// Two backends got the request.
    var isHedged = false
    /// The one of the last attempt, or of the one that answered, nil when there was none.
    var backend: SocketAddress?
    private(set) var line = 0..<0
    private(set) var host = 0..<0
    private(set) var referer = 0..<0
    private(set) var agent = 0..<0
    private(set) var requestID = 0..<0
    private(set) var traceID = 0..<0
    private var end = 0

    private init(base: UnsafeMutableRawPointer, startedAt: Instant) {
        self.base = base
        self.startedAt = startedAt
    }

    static func allocate() -> UnsafeMutablePointer<AccessLogEntry> {
        let stride = MemoryLayout<AccessLogEntry>.stride
        let block = UnsafeMutableRawPointer.allocate(byteCount: stride + textBytes, alignment: 64)
        return block.bindMemory(to: AccessLogEntry.self, capacity: 1)
    }

    /// Makes a new entry of memory that `allocate` gave.
    static func reset(_ entry: UnsafeMutablePointer<AccessLogEntry>, startedAt: Instant) {
        let texts = UnsafeMutableRawPointer(entry) + MemoryLayout<AccessLogEntry>.stride
        entry.initialize(to: AccessLogEntry(base: texts, startedAt: startedAt))
    }

    func text(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// The head as it was parsed: the path is the normalised one, by which the request is routed.
    mutating func take(
        _ head: RequestHead, of source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable,
        _ trace: RequestTrace, _ format: AccessLogFormat, _ parts: AccessLogParts
    ) {
        // Up to the version the request line is what lies in front of the first field.
        let target = head.hasQuery ? head.query.end : head.isAsterisk ? head.methodName.end + 2 : head.path.end
        let start = end
        add(head.methodName.range, of: source, format, AccessLogEntry.lineLimit / 4)
        add(" ")
        if head.isAsterisk {
            add("*")
        } else {
            let path = head.path.start..<(head.hasQuery ? target : head.path.end)
            if head.hasQuery && head.query.start != head.path.end + 1 {
                // Normalising has shortened the path, and left a gap behind it.
                add(head.path.range, of: source, format, AccessLogEntry.lineLimit / 2)
                add("?")
                add(head.query.range, of: source, format, AccessLogEntry.lineLimit / 4)
            } else {
                add(path, of: source, format, AccessLogEntry.lineLimit - AccessLogEntry.lineLimit / 4)
            }
        }
        switch head.traits.version {
        case .http10: add(" HTTP/1.0")
        case .http11: add(" HTTP/1.1")
        }
        line = start..<end
        if parts.contains(.host) { host = piece(head.authority.range, of: source, format, AccessLogEntry.hostLimit) }
        if parts.contains(.refererAndAgent) { takeFields(head, source, fields, format) }
        if parts.contains(.identity) { takeIdentity(trace, source, format) }
    }

    private mutating func takeIdentity(
        _ trace: RequestTrace, _ source: UnsafeRawBufferPointer, _ format: AccessLogFormat
    ) {
        switch trace.identity {
        case .untouched: break
        case .kept(let id): requestID = piece(id.range, of: source, format, AccessLogEntry.identityLimit)
        case .made(let number): requestID = piece(number)
        }
        switch trace.context {
        case .none: break
        case .passed(let id): traceID = piece(id.range, of: source, format, AccessLogEntry.identityLimit)
        case .made(let number, _, _): traceID = piece(number)
        }
    }

    private mutating func piece(_ number: TraceNumber) -> Range<Int> {
        var output = HeadOutput(UnsafeMutableRawBufferPointer(start: base + end, count: AccessLogEntry.identityLimit))
        output.write(number)
        let start = end
        end += output.count ?? 0
        return start..<end
    }

    /// A request line that was not understood: what came of it.
    mutating func takeRefused(_ source: UnsafeRawBufferPointer, _ format: AccessLogFormat) {
        let count = source.firstIndex { $0 == .carriageReturn || $0 == .lineFeed } ?? source.count
        line = piece(0..<count, of: source, format, AccessLogEntry.lineLimit)
    }

    private mutating func takeFields(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable,
        _ format: AccessLogFormat
    ) {
        let bytes = source.bytes
        for index in 0..<head.fieldCount {
            let field = fields[index]
            if field.known != .unknown { continue }
            if referer.isEmpty, Scan.matches(bytes, field.name, "referer") {
                referer = piece(field.value.range, of: source, format, AccessLogEntry.fieldLimit)
            } else if agent.isEmpty, Scan.matches(bytes, field.name, "user-agent") {
                agent = piece(field.value.range, of: source, format, AccessLogEntry.fieldLimit)
            }
        }
    }

    private mutating func piece(
        _ range: Range<Int>, of source: UnsafeRawBufferPointer, _ format: AccessLogFormat, _ limit: Int
    ) -> Range<Int> {
        let start = end
        add(range, of: source, format, limit)
        return start..<end
    }

    private mutating func add(
        _ range: Range<Int>, of source: UnsafeRawBufferPointer, _ format: AccessLogFormat, _ limit: Int
    ) {
        end += AccessLogText.write(
            UnsafeRawBufferPointer(rebasing: source[range]), as: format,
            into: UnsafeMutableRawBufferPointer(start: base + end, count: limit))
    }

    private mutating func add(_ text: StaticString) {
        (base + end).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        end += text.utf8CodeUnitCount
    }
}
