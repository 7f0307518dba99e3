import CLinux
import Glibc
import Posix

/// One guard at a time works on an interface: two would undo each other's work.
///
/// An abstract Unix address is the lock. It belongs to the network namespace, as the interface does, and the kernel
/// frees it with the process, however that ends.
package struct GuardLock: ~Copyable {
    private static let patience = Nanoseconds.seconds(2)
    private static let retryMilliseconds: Int32 = 5

    private let descriptor: FileDescriptor

    /// Waits for the guard of a gateway that ended just now; one that does not end, because it is stopped, is killed.
    package init(interface: String) throws(VirtualIPError) {
        let deadline = Instant.now() + Self.patience
        var hasKilled = false
        while true {
            if let raw = Self.attempt(interface) {
                descriptor = FileDescriptor(owning: raw)
                return
            }
            if Instant.now() > deadline {
                guard !hasKilled, let owner = Self.owner(interface) else {
                    throw VirtualIPError(
                        "another process guards the addresses of \(interface)",
                        cure: "end it: is a second gateway running here?")
                }
                Log.warning("guard: the former guard, pid \(owner), does not end; it is killed")
                hasKilled = true
                _ = kill(owner, SIGKILL)
            }
            _ = poll(nil, 0, Self.retryMilliseconds)
        }
    }

    /// A listening socket, nil when somebody else has it.
    private static func attempt(_ interface: String) -> Int32? {
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return nil }
        if address(interface).with({ bind(raw, $0, $1) }) == 0, listen(raw, 1) == 0 { return raw }
        close(raw)
        return nil
    }

    /// The process that has the lock, when its gateway is gone: a guard's parent is its gateway.
    private static func owner(_ interface: String) -> pid_t? {
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return nil }
        let probe = FileDescriptor(owning: raw)
        guard address(interface).with({ connect(probe.raw, $0, $1) }) == 0 else { return nil }
        let pid = clinux_peer_pid(probe.raw)
        return pid > 1 && !isChildOfGateway(pid) ? pid : nil
    }

    private static func isChildOfGateway(_ pid: pid_t) -> Bool {
        func line(_ path: String, prefix: String = "") -> Substring? {
            let text = (try? readFile("/proc/\(path)", limit: 65536)).map { String(decoding: $0, as: UTF8.self) }
            return text?.split(separator: "\n").first { $0.hasPrefix(prefix) }?.dropFirst(prefix.count)
        }
        guard let parent = line("\(pid)/status", prefix: "PPid:\t") else { return false }
        return line("\(parent)/comm") == "gwnode"
    }

    private static func address(_ interface: String) -> AbstractAddress {
        AbstractAddress("gwnode-guard-\(interface)")
    }
}
