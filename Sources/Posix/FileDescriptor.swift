import CLinux
import Glibc

/// An open descriptor with one owner, which closes it.
package struct FileDescriptor: ~Copyable, Sendable {
    package let raw: Int32

    package init(owning raw: Int32) {
        precondition(raw >= 0, "a descriptor is never negative")
        self.raw = raw
    }

    /// Gives the descriptor up without closing it.
    package consuming func take() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }

    /// Another descriptor of the same open file, close-on-exec and the caller's; -1 when there can be none.
    package static func copy(of raw: Int32) -> Int32 { fcntl(raw, F_DUPFD_CLOEXEC, 0) }

    deinit { _ = Glibc.close(raw) }
}
