import CLinux
import Glibc

/// A process that need not be a child of this one. No other process is ever meant, however soon a pid is used again.
package final class ProcessHandle: Sendable {
    private let descriptor: FileDescriptor

    /// Nil when there is no such process.
    package init?(pid: pid_t) {
        let raw = clinux_pidfd_open(pid)
        guard raw >= 0 else { return nil }
        descriptor = FileDescriptor(owning: raw)
    }

    package init(owning raw: Int32) { descriptor = FileDescriptor(owning: raw) }

    package var raw: Int32 { descriptor.raw }

    package func signal(_ number: Int32) { _ = clinux_pidfd_signal(descriptor.raw, number) }

    /// Whether it has ended by `deadline`.
    package func hasEnded(by deadline: Instant) -> Bool {
        var waiting = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        let left = Int32(clamping: Int((deadline - Instant.now()).milliseconds.rounded(.up)))
        return retryingOnInterrupt { poll(&waiting, 1, left) } > 0
    }
}
