import CLinux
import Glibc

/// A child process whose output is read as it comes, so that it never waits for a reader, and of which the end is kept.
package final class CapturedProcess {
    package let process: ChildProcess
    private let limit: Int
    /// Nil once nobody can write to it any more.
    private var pipe: FileDescriptor?
    /// The last bytes that it wrote, at most as many as were asked for.
    package private(set) var output: [UInt8] = []

    package init(
        _ path: String, _ arguments: [String], environment: [String] = [], keeping limit: Int
    ) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { throw SystemError("pipe2") }
        let source = FileDescriptor(owning: ends[0])
        let sink = FileDescriptor(owning: ends[1])
        // Programs do not expect that what they print may have to wait.
        _ = fcntl(sink.raw, F_SETFL, 0)
        process = try ChildProcess(path, arguments, output: sink.raw, environment: environment)
        self.limit = limit
        pipe = consume source
    }

    /// To be polled for reading; -1 once there is nothing more to read.
    package var descriptor: Int32 { pipe?.raw ?? -1 }

    /// As many buffers as a pipe holds: one who writes without end is not read without end.
    private static let rounds = 16

    /// Takes what is there.
    package func read() {
        var buffer = [UInt8](repeating: 0, count: limit)
        for _ in 0..<Self.rounds {
            guard let raw = pipe?.raw else { return }
            let count = retryingOnInterrupt { Glibc.read(raw, &buffer, buffer.count) }
            if count > 0 {
                output += buffer[..<count]
                if output.count > limit { output.removeFirst(output.count - limit) }
            } else {
                if count == 0 || errno != EAGAIN { pipe = nil }
                return
            }
        }
    }
}
