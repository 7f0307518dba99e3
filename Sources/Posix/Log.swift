import CLinux
import Glibc
import Synchronization

/// The process's event log: one line an event on standard error, in one of the formats of `LogFormat`.
///
/// A line is queued and written by a thread of its own, so a full pipe or a slow terminal never holds up
/// consensus. When the queue is full the line is dropped and the drop is counted and said later.
package enum Log {
    package enum Level: Int, Comparable, Sendable, CaseIterable {
        case debug, info, warning, error
        package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
        var label: String {
            switch self {
            case .debug: "debug"
            case .info: "info "
            case .warning: "warn "
            case .error: "error"
            }
        }
        /// Of syslog, RFC 5424 section 6.2.1.
        var priority: Int {
            switch self {
            case .debug: 7
            case .info: 6
            case .warning: 4
            case .error: 3
            }
        }
    }

    private struct Queue {
        var lines: [String] = []
        var dropped = 0
        var started = false
    }

    private static let capacity = 4096
    private static let queue = Mutex(Queue())
    /// Held while a batch is on its way, so that lines neither interleave nor overtake.
    private static let output = Mutex(())
    private static let minimum = Atomic<Int>(Level.info.rawValue)
    private static let format = Mutex(LogFormat.text)
    private static let wake = Result { () throws(SystemError) in try Mailbox<Void>(capacity: 1) }

    /// Nil: nothing is written, as for nodes that are only simulated.
    package static func setLevel(_ level: Level?) { minimum.store(level?.rawValue ?? .max, ordering: .relaxed) }

    /// Also for the children of this process that log with it: they take it over with `inheritFormat`.
    package static func setFormat(_ format: LogFormat) {
        self.format.withLock { $0 = format }
        setenv(formatVariable, format.rawValue, 1)
    }

    package static func inheritFormat() {
        let inherited = getenv(formatVariable).flatMap { LogFormat(rawValue: String(cString: $0)) }
        format.withLock { $0 = inherited ?? .text }
    }

    private static let formatVariable = "GWNODE_LOG_FORMAT"

    /// systemd names the device and inode of its stream, so that output which goes elsewhere is not taken for it.
    private static let isForJournal: Bool = {
        guard let stream = getenv("JOURNAL_STREAM") else { return false }
        var status = stat()
        return fstat(STDERR_FILENO, &status) == 0 && String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }()

    private static func line(_ level: Level, _ message: String, _ fields: [LogField]) -> String {
        LogLine.make(
            at: .now(), level, message, fields, format.withLock { $0 }, isForJournal: isForJournal)
    }

    package static func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []) {
        write(.debug, message(), fields())
    }
    package static func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []) {
        write(.info, message(), fields())
    }
    package static func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []) {
        write(.warning, message(), fields())
    }
    package static func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []) {
        write(.error, message(), fields())
    }

    /// Writes what is queued before returning; for the moment before the process ends.
    package static func flush() {
        output.withLock { _ in
            while let batch = takeBatch() { emit(batch) }
        }
    }

    private static func write(
        _ level: Level, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField]
    ) {
        guard level.rawValue >= minimum.load(ordering: .relaxed) else { return }
        let line = line(level, message(), fields())
        let mustStart = queue.withLock { queue -> Bool in
            if queue.lines.count < capacity { queue.lines.append(line) } else { queue.dropped += 1 }
            defer { queue.started = true }
            return !queue.started
        }
        if mustStart { start() }
        if case .success(let wake) = wake { wake.post(()) }
    }

    private static func start() {
        guard case .success(let wake) = wake else { return }
        _ = try? Thread(name: "log", stackBytes: 256 << 10) {
            var poll = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
            while true {
                _ = Glibc.poll(&poll, 1, -1)
                _ = wake.drain()
                flush()
            }
        }
    }

    private static func takeBatch() -> String? {
        queue.withLock { queue in
            guard !queue.lines.isEmpty || queue.dropped > 0 else { return nil }
            var batch = queue.lines.joined()
            if queue.dropped > 0 {
                batch += line(
                    .warning, "log: \(queue.dropped) lines dropped, the reader was too slow",
                    [.event("log-lines-dropped"), .lines(UInt64(queue.dropped))])
            }
            queue.lines.removeAll(keepingCapacity: true)
            queue.dropped = 0
            return batch
        }
    }

    private static func emit(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let written = retryingOnInterrupt { Glibc.write(STDERR_FILENO, part.baseAddress!, part.count) }
                guard written > 0 else { return }
                rest = rest.dropFirst(written)
            }
        }
    }
}
