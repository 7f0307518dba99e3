import Glibc
import Posix

/// A program run to its end.
package enum Program {
    package struct Outcome: Sendable {
        package var end: ChildProcess.End
        /// Standard output and standard error together.
        package var output: String

        package var succeeded: Bool { end == .exited(status: 0) }
    }

    /// The path of a program, nil when it is not installed.
    package static func find(_ name: String) -> String? {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Runs a program that `find` knows.
    package static func run(
        _ name: String, _ arguments: [String], environment: [String] = []
    ) throws(SystemError) -> Outcome {
        guard let path = find(name) else { throw SystemError("run", name, code: ENOENT) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let reading = FileDescriptor(owning: ends[0])
        let writing = FileDescriptor(owning: ends[1])
        let process = try ChildProcess(path, arguments, output: writing.raw, environment: environment)
        _ = consume writing
        let output = try readAll(reading)
        return Outcome(end: process.wait(), output: output)
    }

    private static func readAll(_ descriptor: borrowing FileDescriptor) throws(SystemError) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = retryingOnInterrupt { read(descriptor.raw, &buffer, buffer.count) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            guard count > 0 else { throw SystemError("read the output") }
            bytes += buffer[..<count]
        }
    }
}
