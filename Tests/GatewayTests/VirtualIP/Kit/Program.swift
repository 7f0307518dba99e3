import CLinux
import Glibc
import Posix

/// A program run to its end.
enum Program {
    struct Outcome {
        /// -1 when a signal ended it.
        var exitStatus: Int32
        /// Standard output and standard error together.
        var output: String
    }

    /// The path of a program, nil when it is not installed.
    static func find(_ name: String) -> String? {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let reading = FileDescriptor(owning: ends[0])
        let pid = try spawn(arguments, environment, output: FileDescriptor(owning: ends[1]))
        let output = try readAll(reading)
        var status: Int32 = 0
        guard retryingOnInterrupt({ waitpid(pid, &status, 0) }) == pid else { throw SystemError("waitpid") }
        return Outcome(exitStatus: clinux_exited(status) ? clinux_exit_status(status) : -1, output: output)
    }

    private static func spawn(
        _ arguments: [String], _ environment: [String: String], output: consuming FileDescriptor
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output.raw, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output.raw, STDERR_FILENO)
        var strings: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var inherited = environ
        while let variable = inherited.pointee {
            variables.append(strdup(variable))
            inherited += 1
        }
        variables += environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for string in strings + variables { free(string) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, arguments[0], &actions, nil, &strings, &variables)
        guard code == 0 else { throw SystemError("run", arguments[0], code: code) }
        return pid
    }

    private static func readAll(_ descriptor: borrowing FileDescriptor) throws -> String {
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
