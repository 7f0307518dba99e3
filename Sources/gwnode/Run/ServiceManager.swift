import CLinux
import Glibc
import Posix

/// Tells systemd how the service is (sd_notify(3)); does nothing when nobody asked for it.
struct ServiceManager: Sendable {
    private let path: String?
    /// How often `keepAlive` must be called; nil when systemd keeps no watch.
    let watchdogInterval: Nanoseconds?

    init() {
        path = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        let microseconds = getenv("WATCHDOG_USEC").flatMap { UInt64(String(cString: $0)) }
        watchdogInterval = microseconds.map { .microseconds(min($0, 3_600_000_000) / 2) }
    }

    func ready() { send("READY=1\nSTATUS=serving") }
    func stopping() { send("STOPPING=1") }
    /// Another process is the service from now on.
    func handOver(to pid: pid_t) { send("MAINPID=\(pid)\nSTATUS=serving") }
    func keepAlive() { send("WATCHDOG=1") }

    private func send(_ message: String) {
        guard let path, path.utf8.count < 108, path.first == "/" || path.first == "@" else { return }
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = socket(AF_UNIX, type, 0)
        guard raw >= 0 else { return }
        let descriptor = FileDescriptor(owning: raw)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A leading @ stands for the zero byte of an abstract address.
        let name = path.utf8.enumerated().map { $0 == 0 && $1 == UInt8(ascii: "@") ? 0 : $1 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let bytes = Array(message.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
