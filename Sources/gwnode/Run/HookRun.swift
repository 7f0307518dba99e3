import Glibc
import Posix

/// One run of a program that an operator wrote: no longer than its time, and no more kept of its output than a few lines.
final class HookRun {
    private static let outputBytes = 4096

    let deadline: Instant
    private let captured: CapturedProcess
    private var isLate = false

    init(_ path: String, _ arguments: [String], until deadline: Instant) throws(SystemError) {
        captured = try CapturedProcess(path, arguments, keeping: Self.outputBytes)
        self.deadline = deadline
    }

    /// What came of it; nil while it runs. Whoever is late is killed with all that it has started.
    func poll(at now: Instant) -> ScalingHookEnd? {
        captured.read()
        guard let end = captured.process.poll() else {
            if now >= deadline, !isLate {
                isLate = true
                captured.process.signalGroup(SIGKILL)
            }
            return nil
        }
        captured.read()
        let lines = String(decoding: captured.output, as: UTF8.self).split(separator: "\n").map(String.init)
        if isLate { return ScalingHookEnd(hasSucceeded: false, text: "killed, as it took too long", output: lines) }
        return ScalingHookEnd(
            hasSucceeded: end == .exited(status: 0), text: end == .exited(status: 0) ? "done" : "\(end)", output: lines)
    }
}

struct ScalingHookEnd {
    let hasSucceeded: Bool
    let text: String
    let output: [String]
}
