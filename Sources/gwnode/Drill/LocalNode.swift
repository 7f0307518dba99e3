import CLinux
import Gateway
import Glibc
import Posix
import Raft

/// A node's process on this machine: found by what the cluster says of it, checked by the node file that it runs with.
final class LocalNode {
    let id: UInt64
    private let pid: pid_t
    private let handle: FileDescriptor
    private let program: String
    private let arguments: [String]
    private let directory: String
    private let environment: [String]
    /// systemd starts it again when it ends, and nobody else may.
    private let isManaged: Bool
    /// Where it wrote its log.
    private var output: FileDescriptor?

    private static let endMilliseconds: Int32 = 30_000

    /// Why a process can not be used.
    struct Obstacle: Error {
        let reason: String
    }

    init(_ node: StatusDocument.Node, cluster: String) throws(Obstacle) {
        guard let pid = node.pid, pid > 1 else { throw Obstacle(reason: "is the first process of a container") }
        let raw = clinux_pidfd_open(pid)
        guard raw >= 0 else { throw Obstacle(reason: "does not run here") }
        handle = FileDescriptor(owning: raw)
        var words = Self.strings("/proc/\(pid)/cmdline")
        // A process that took another's place would not find that again.
        let hasTakenOver = words.count == 3 && words[1] == Successor.command
        if hasTakenOver { words[1...] = ["run", "--config", words[2]] }
        guard let program = Self.link("/proc/\(pid)/exe"), let directory = Self.link("/proc/\(pid)/cwd") else {
            throw Obstacle(reason: "belongs to another user")
        }
        for space in ["net", "mnt"] where Self.link("/proc/\(pid)/ns/\(space)") != Self.link("/proc/self/ns/\(space)") {
            throw Obstacle(reason: "runs in a container or network namespace of its own; run the drill in it")
        }
        guard let file = Self.nodeFile(words.dropFirst()),
            let bytes = try? File.read(Self.absolute(file, in: directory)),
            let configuration = try? NodeConfiguration.read(bytes, file: Self.absolute(file, in: directory)),
            configuration.cluster == cluster, configuration.node.id.number == node.id
        else { throw Obstacle(reason: "does not run here") }
        id = node.id
        self.pid = pid
        self.program = program
        self.directory = directory
        arguments = Array(words.dropFirst())
        environment = Self.strings("/proc/\(pid)/environ")
        // systemd.exec(5): set to the main process's own id, so it is no other's that was inherited.
        isManaged = environment.contains {
            $0 == "SYSTEMD_EXEC_PID=\(pid)" || (hasTakenOver && $0.hasPrefix("SYSTEMD_EXEC_PID="))
        }
        let owner = Self.owner(of: pid)
        if owner != geteuid(), !isManaged || geteuid() != 0 {
            throw Obstacle(reason: "belongs to another user, and only systemd's could be started again")
        }
    }

    /// Does nothing once it has ended, so that a process which got the same pid later is never hit.
    func signal(_ number: Int32) {
        if !hasEnded(withinMilliseconds: 0) { _ = Glibc.kill(pid, number) }
    }

    func kill() {
        // A descriptor, for its name may lead to a pipe or a terminal.
        let raw = open("/proc/\(pid)/fd/1", O_WRONLY | O_APPEND | O_CLOEXEC)
        if raw >= 0 { output = FileDescriptor(owning: raw) }
        signal(SIGKILL)
    }

    /// Starts a killed one as it was, once its end is complete; nil when systemd does that.
    func startAgain() throws(SystemError) -> ChildProcess? {
        if isManaged { return nil }
        _ = hasEnded(withinMilliseconds: Self.endMilliseconds)
        if output == nil { output = FileDescriptor(owning: open("/dev/null", O_WRONLY | O_CLOEXEC)) }
        return try ChildProcess(program, arguments, output: output?.raw, environment: environment, directory: directory)
    }

    private func hasEnded(withinMilliseconds limit: Int32) -> Bool {
        var waiting = pollfd(fd: handle.raw, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, limit) > 0
    }

    private static func nodeFile(_ arguments: ArraySlice<String>) -> String? {
        guard let invocation = try? Invocation(Array(arguments)), case .run(let path) = invocation else { return nil }
        return path
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard readlink(path, &buffer, Int(PATH_MAX)) > 0 else { return nil }
        let target = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        // A binary that was replaced since is started in its new version, as by systemd.
        return target.hasSuffix(" (deleted)") ? String(target.dropLast(" (deleted)".count)) : target
    }

    private static func strings(_ path: String) -> [String] {
        let bytes = (try? readFile(path, limit: 1 << 20)) ?? []
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func owner(of pid: pid_t) -> uid_t? {
        var attributes = stat()
        return stat("/proc/\(pid)", &attributes) == 0 ? attributes.st_uid : nil
    }

    private static func absolute(_ path: String, in directory: String) -> String {
        path.hasPrefix("/") ? path : "\(directory)/\(path)"
    }
}
