import CLinux
import Glibc
import Posix
import Synchronization

/// A file that is made on a thread of its own, for the moment at which it is needed.
final class PreparedFile: Sendable {
    let path: String
    let bytes: Int
    private let file = Mutex<FileSystem.File?>(nil)
    private let thread: Mutex<Posix.Thread?>

    /// Nil when there can be no thread; the file is then made when it is needed.
    init?(_ path: String, reserving bytes: Int) {
        self.path = path
        self.bytes = bytes
        thread = Mutex(nil)
        guard
            let started = try? Posix.Thread(
                name: "prepare",
                {
                    // What fails here fails again, and is told, when the file is needed.
                    let made = try? FileSystem.make(path, filledTo: bytes)
                    self.file.withLock { $0 = made }
                })
        else { return nil }
        thread.withLock { $0 = started }
    }

    /// Waits until the file is made. Call at most once.
    func take() -> FileSystem.File? {
        thread.withLock { $0.take() }?.join()
        return file.withLock { $0.take() }
    }
}
