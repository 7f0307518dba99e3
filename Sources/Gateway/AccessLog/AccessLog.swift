import CLinux
import Glibc
import Posix
import Synchronization

/// Writes the lines of all workers to one file, on a thread of its own: neither a slow disk nor a reader that stops
/// holds up a worker. What the queues do not hold is dropped, counted, and said in the event log.
final class AccessLog: Sendable {
    private static let reportPause = Nanoseconds.seconds(10)

    let queues: [AccessLogQueue]
    private let signal: AccessLogSignal
    private let options: AccessLogOptions
    private let isReopenWanted = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    /// Lines that could not be written.
    private let lostLines = Atomic<UInt64>(0)
    private let thread = Mutex<Thread?>(nil)

    init(_ options: AccessLogOptions, workers: Int) throws(SystemError) {
        self.options = options
        let signal = try AccessLogSignal()
        self.signal = signal
        queues = (0..<workers).map { _ in AccessLogQueue(capacity: options.queueBytes, signal: signal) }
        let file = try AccessLogFile(options.destination)
        let started = try Thread(name: "access-log") { [self] in run(file) }
        thread.withLock { $0 = started }
    }

    /// Lines that were dropped or could not be written.
    var droppedLines: UInt64 { queues.reduce(lostLines.load(ordering: .relaxed)) { $0 + $1.dropped } }

    /// Opens the file again by its path, after what was logged so far is written: for whoever renames it.
    func reopen() {
        isReopenWanted.store(true, ordering: .releasing)
        signal.wake()
    }

    /// Writes what is there and ends. The workers must have ended.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        signal.wake()
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    private func run(_ file: AccessLogFile) {
        var file = file
        var reported: UInt64 = 0
        var nextReport = Instant.zero
        while true {
            let isLast = isStopping.load(ordering: .acquiring)
            let isReopened = isReopenWanted.exchange(false, ordering: .acquiring)
            let hasWritten = writeAll(to: file)
            if isReopened { reopen(&file) }
            let dropped = droppedLines
            if dropped > reported, .now() >= nextReport || isLast {
                Log.warning(
                    "access log: \(dropped - reported) lines dropped, \(file.name) is too slow or full",
                    [.event("access-log-dropped"), .lines(dropped - reported), .path(file.name)])
                reported = dropped
                nextReport = .now() + AccessLog.reportPause
            }
            if isLast {
                file.close()
                return
            }
            wait(isIdle: !hasWritten)
        }
    }

    private func writeAll(to file: AccessLogFile) -> Bool {
        var hasWritten = false
        for queue in queues {
            let isThere = queue.take { bytes in
                let lost = file.write(bytes) { isStopping.load(ordering: .relaxed) }
                if lost > 0 { lostLines.add(UInt64(lost), ordering: .relaxed) }
            }
            hasWritten = hasWritten || isThere
        }
        return hasWritten
    }

    private func reopen(_ file: inout AccessLogFile) {
        do throws(SystemError) {
            let new = try AccessLogFile(options.destination)
            file.close()
            file = new
            Log.info("access log: \(file.name) opened again", [.event("access-log-reopened"), .path(file.name)])
        } catch {
            Log.error("access log: not opened again, the old file is written on: \(error)")
        }
    }

    private func wait(isIdle: Bool) {
        var waiting = pollfd(fd: signal.descriptor, events: Int16(POLLIN), revents: 0)
        if isIdle {
            signal.fallAsleep()
            let hasNews =
                queues.contains { !$0.isEmpty } || isStopping.load(ordering: .sequentiallyConsistent)
                || isReopenWanted.load(ordering: .sequentiallyConsistent)
            if !hasNews { _ = poll(&waiting, 1, -1) }
        } else {
            _ = poll(&waiting, 1, AccessLogSignal.pauseMilliseconds)
        }
        signal.awake()
    }
}

/// What the lines are written to.
private struct AccessLogFile {
    let name: String
    private let descriptor: Int32
    /// Writes to a regular file do not wait for a reader.
    private let isRegular: Bool

    init(_ destination: AccessLogOptions.Destination) throws(SystemError) {
        switch destination {
        case .standardOutput:
            name = "standard output"
            descriptor = STDOUT_FILENO
        case .file(let path):
            name = path
            descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
            guard descriptor >= 0 else { throw SystemError("open", path) }
        }
        var status = stat()
        isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    func close() {
        if descriptor != STDOUT_FILENO { _ = Glibc.close(descriptor) }
    }

    /// - Returns: how many lines, or rests of lines, could not be written. Without a reader it waits until
    ///   `givesUp`.
    func write(_ bytes: UnsafeRawBufferPointer, unless givesUp: () -> Bool) -> Int {
        var rest = bytes
        while !rest.isEmpty {
            if !isRegular && !waitForReader(givesUp) { return lines(in: rest) }
            // What a pipe that has room takes without waiting.
            let count = isRegular ? rest.count : min(rest.count, Int(PIPE_BUF))
            let written = Glibc.write(descriptor, rest.baseAddress!, count)
            if written < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            guard written > 0 else { return lines(in: rest) }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
        return 0
    }

    private func waitForReader(_ givesUp: () -> Bool) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let count = poll(&waiting, 1, 100)
            if count > 0 { return waiting.revents & Int16(POLLOUT) != 0 }
            if givesUp() { return false }
        }
    }

    private func lines(in bytes: UnsafeRawBufferPointer) -> Int {
        bytes.reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
    }
}
