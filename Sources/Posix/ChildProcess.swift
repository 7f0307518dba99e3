import CLinux
import Glibc
import Synchronization

/// A process that this one started. It is reaped when `poll` or `wait` first finds it ended.
package final class ChildProcess: Sendable {
    package enum End: Hashable, Sendable, CustomStringConvertible {
        case exited(status: Int32)
        case killed(signal: Int32)

        package var description: String {
            switch self {
            case .exited(let status): "exit status \(status)"
            case .killed(let signal): "signal \(signal) (\(String(cString: strsignal(signal))))"
            }
        }
    }

    package let pid: pid_t
    private let ending = Mutex<End?>(nil)

    /// Starts `path` with `arguments` (the program's name not among them) in this process's environment.
    ///
    /// Standard input is `input`, a descriptor, or /dev/null. Standard output and error go to `output`, a descriptor, or
    /// stay as they are. It begins in `directory`, this process's own unless told.
    package init(
        _ path: String, _ arguments: [String], input: Int32? = nil, output: Int32? = nil, environment: [String] = [],
        directory: String? = nil
    ) throws(SystemError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
            posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        }
        if let directory { clinux_spawn_in(&actions, directory) }
        // A child must not inherit the signals that this process blocks in order to read them.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        let variables = environment + ChildProcess.inheritedEnvironment(without: environment)
        var argumentPointers: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var variablePointers: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { (argumentPointers + variablePointers).forEach { free($0) } }
        var started: pid_t = 0
        let code = posix_spawn(&started, path, &actions, &attributes, &argumentPointers, &variablePointers)
        guard code == 0 else { throw SystemError("start", path, code: code) }
        pid = started
    }

    /// Does nothing once the end is known, so that a process which got the same pid later is never hit.
    package func signal(_ number: Int32) {
        ending.withLock { ending in
            if ending == nil { _ = kill(pid, number) }
        }
    }

    /// The same to all processes that it has started and that did not leave its group.
    package func signalGroup(_ number: Int32) {
        ending.withLock { ending in
            if ending == nil { _ = kill(-pid, number) }
        }
    }

    /// How the process ended; nil while it runs.
    package func poll() -> End? { reap(options: WNOHANG) }

    /// Waits for the end.
    package func wait() -> End {
        var information = siginfo_t()
        // Waiting without reaping leaves the lock free for `signal`.
        _ = retryingOnInterrupt { waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) }
        return reap(options: 0)!
    }

    private func reap(options: Int32) -> End? {
        ending.withLock { ending in
            if let ending { return ending }
            var status: Int32 = 0
            let result = retryingOnInterrupt { waitpid(pid, &status, options) }
            if result == 0 { return nil }
            precondition(result == pid, "nobody else reaps this process's children")
            ending =
                clinux_exited(status)
                ? .exited(status: clinux_exit_status(status)) : .killed(signal: clinux_term_signal(status))
            return ending
        }
    }

    private static func inheritedEnvironment(without overridden: [String]) -> [String] {
        let names = Set(overridden.map { $0.prefix { $0 != "=" } })
        var variables: [String] = []
        var next = environ
        while let entry = next.pointee {
            let variable = String(cString: entry)
            if !names.contains(variable.prefix { $0 != "=" }) { variables.append(variable) }
            next += 1
        }
        return variables
    }
}

/// Where the file of the program that runs lay when it began; another one may have taken its place.
package func installedPath() -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    guard readlink("/proc/self/exe", &buffer, Int(PATH_MAX)) > 0 else { return nil }
    let path = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return path.hasSuffix(replacedMark) ? String(path.dropLast(replacedMark.count)) : path
}

/// What the kernel writes behind the path of a file that was removed.
private let replacedMark = " (deleted)"

/// The path of the program that runs.
package func executablePath() -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = readlink("/proc/self/exe", &buffer, Int(PATH_MAX))
    guard count > 0 else { return nil }
    let path = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    // The file was replaced or removed; the kernel still has the program.
    return path.hasSuffix(replacedMark) ? "/proc/self/exe" : path
}
