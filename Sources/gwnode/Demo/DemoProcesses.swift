import Gateway
import Glibc
import Posix

/// The processes of a running demo: three nodes and three sample backends.
struct DemoProcesses {
    private struct Member {
        let title: String
        var process: ChildProcess
        var hasEnded = false
    }

    let layout: DemoLayout
    private let binary: String
    private var members: [Member] = []

    init(layout: DemoLayout, binary: String) {
        self.layout = layout
        self.binary = binary
    }

    mutating func startAll() throws(DemoFailure) {
        for number in 1...DemoLayout.backendCount {
            try start("b\(number)", backendArguments(number), logs: "\(layout.directory)/b\(number).log")
        }
        for node in 1...DemoLayout.nodeCount {
            try start("gw\(node)", nodeArguments(node), logs: layout.log(node))
        }
    }

    func nodeArguments(_ node: Int) -> [String] { ["run", "--config", layout.configuration(node)] }

    func backendArguments(_ number: Int) -> [String] {
        ["demo-backend", "--listen", layout.backend(number).description, "--name", "b\(number)"]
    }

    /// A command line that a user can paste into a shell to start a killed process again.
    func command(_ arguments: [String]) -> String { ([binary] + arguments).map(shellQuoted).joined(separator: " ") }

    func pid(_ title: String) -> pid_t? { members.first { $0.title == title }?.process.pid }

    /// One line for each process that ended since the last call.
    mutating func ended() -> [String] {
        var lines: [String] = []
        for index in members.indices where !members[index].hasEnded {
            guard let end = members[index].process.poll() else { continue }
            members[index].hasEnded = true
            lines.append("process ended: \(members[index].title) (pid \(members[index].process.pid)), \(end)")
        }
        return lines
    }

    /// Ends every process of the demo, those included that the user started again by a printed command.
    mutating func stopAll() {
        let restarted = restartedByUser()
        for member in members { member.process.signal(SIGTERM) }
        for pid in restarted { kill(pid, SIGTERM) }
        let deadline = Instant.now() + .seconds(5)
        while Instant.now() < deadline {
            _ = ended()
            if members.allSatisfy(\.hasEnded) { break }
            poll(nil, 0, 10)
        }
        for member in members where !member.hasEnded {
            member.process.signal(SIGKILL)
            _ = member.process.wait()
        }
    }

    private mutating func start(_ title: String, _ arguments: [String], logs path: String) throws(DemoFailure) {
        let raw = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard raw >= 0 else { throw DemoFailure("\(SystemError("open", path))") }
        let output = FileDescriptor(owning: raw)
        do throws(SystemError) {
            members.append(Member(title: title, process: try ChildProcess(binary, arguments, output: output.raw)))
        } catch {
            throw DemoFailure("\(error)")
        }
    }

    private func restartedByUser() -> [pid_t] {
        let commands =
            (1...DemoLayout.nodeCount).map(nodeArguments) + (1...DemoLayout.backendCount).map(backendArguments)
        let own = Set(members.map(\.process.pid))
        return runningProcesses().filter { pid in
            !own.contains(pid) && commands.contains(Array(commandLine(of: pid).dropFirst()))
        }
    }
}

private func shellQuoted(_ word: String) -> String {
    let plain = word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "/.-_:=,+".utf8.contains(byte)
        }
    }
    if plain && !word.isEmpty { return word }
    return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

private func commandLine(of pid: pid_t) -> [String] {
    let raw = open("/proc/\(pid)/cmdline", O_RDONLY | O_CLOEXEC)
    guard raw >= 0 else { return [] }
    let file = FileDescriptor(owning: raw)
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = max(0, read(file.raw, &bytes, bytes.count))
    return bytes[..<count].split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
}

private func runningProcesses() -> [pid_t] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var pids: [pid_t] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) {
            String(cString: $0.bindMemory(to: CChar.self).baseAddress!)
        }
        if let pid = pid_t(name) { pids.append(pid) }
    }
    return pids
}
