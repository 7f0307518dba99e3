import CLinux
import Glibc
import Synchronization

/// The process's event log: one line an event on standard error, as
/// `2026-11-22T13:07:05.123Z info  raft: elected leader term=3 node=1`.
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
    private static let wake = Result { () throws(SystemError) in try Mailbox<Void>(capacity: 1) }

    package static func setLevel(_ level: Level) { minimum.store(level.rawValue, ordering: .relaxed) }

    package static func debug(_ message: @autoclosure () -> String) { write(.debug, message()) }
    package static func info(_ message: @autoclosure () -> String) { write(.info, message()) }
    package static func warning(_ message: @autoclosure () -> String) { write(.warning, message()) }
    package static func error(_ message: @autoclosure () -> String) { write(.error, message()) }

    /// Writes what is queued before returning; for the moment before the process ends.
    package static func flush() {
        output.withLock { _ in
            while let batch = takeBatch() { emit(batch) }
        }
    }

    private static func write(_ level: Level, _ message: @autoclosure () -> String) {
        guard level.rawValue >= minimum.load(ordering: .relaxed) else { return }
        let line = "\(WallTime.now()) \(level.label) \(escaped(message()))\n"
        let mustStart = queue.withLock { queue -> Bool in
            if queue.lines.count < capacity { queue.lines.append(line) } else { queue.dropped += 1 }
            defer { queue.started = true }
            return !queue.started
        }
        if mustStart { start() }
        if case .success(let wake) = wake { wake.post(()) }
    }

    /// Control characters from outside must not forge lines or drive the operator's terminal.
    private static func escaped(_ message: String) -> String {
        if message.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f && !(0x80...0x9f ~= $0.value) }) {
            return message
        }
        return message.unicodeScalars.reduce(into: "") { result, scalar in
            if scalar.value < 0x20 || scalar.value == 0x7f || 0x80...0x9f ~= scalar.value {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
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
                batch += "\(WallTime.now()) warn  log: \(queue.dropped) lines dropped, the reader was too slow\n"
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
