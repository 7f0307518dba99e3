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

    deinit { _ = Glibc.close(raw) }
}
