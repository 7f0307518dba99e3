import CLinux
import Glibc
import Posix

/// One run of a program that an operator wrote: no longer than its time, and no more kept of its output than a few lines.
final class HookRun {
    private static let outputBytes = 4096

    let deadline: Instant
    private let process: ChildProcess
    private let output: FileDescriptor
    private var text: [UInt8] = []
    private var isLate = false

    init(_ path: String, _ arguments: [String], until deadline: Instant) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { throw SystemError("pipe") }
        output = FileDescriptor(owning: ends[0])
        let input = FileDescriptor(owning: ends[1])
        // A program does not expect that its output would block.
        _ = fcntl(ends[1], F_SETFL, 0)
        process = try ChildProcess(path, arguments, output: input.raw)
        self.deadline = deadline
    }

    /// What came of it; nil while it runs. Whoever is late is killed with all that it has started.
    func poll(at now: Instant) -> ScalingHookEnd? {
        read()
        guard let end = process.poll() else {
            if now >= deadline, !isLate {
                isLate = true
                process.signalGroup(SIGKILL)
            }
            return nil
        }
        read()
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
        if isLate { return ScalingHookEnd(hasSucceeded: false, text: "killed, as it took too long", output: lines) }
        return ScalingHookEnd(
            hasSucceeded: end == .exited(status: 0), text: end == .exited(status: 0) ? "done" : "\(end)", output: lines)
    }

    /// What is too much is read too, so that the program never waits for a reader.
    private func read() {
        withUnsafeTemporaryAllocation(byteCount: HookRun.outputBytes, alignment: 1) { buffer in
            while true {
                let count = retryingOnInterrupt { Glibc.read(output.raw, buffer.baseAddress!, buffer.count) }
                guard count > 0 else { return }
                text += buffer.prefix(min(count, HookRun.outputBytes - text.count))
            }
        }
    }
}

struct ScalingHookEnd {
    let hasSucceeded: Bool
    let text: String
    let output: [String]
}
