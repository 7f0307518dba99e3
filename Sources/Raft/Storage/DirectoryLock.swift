import CLinux
import Glibc
import Posix

/// Holds a data directory for one process. The kernel gives it up when the process ends, however it ends.
package struct DirectoryLock: ~Copyable, Sendable {
    static let fileName = "lock"

    private let descriptor: FileDescriptor

    package init(directory: String) throws(StorageError) {
        descriptor = try Self.lock("\(directory)/\(Self.fileName)", of: directory)
    }

    /// The lock that another process has taken, and holds no more once it has closed its own descriptors.
    package init(inheriting raw: Int32, directory: String) throws(StorageError) {
        descriptor = FileDescriptor(owning: raw)
        try Self.sign(raw, "\(directory)/\(Self.fileName)")
    }

    package var raw: Int32 { descriptor.raw }

    private static func lock(_ path: String, of directory: String) throws(StorageError) -> FileDescriptor {
        let raw = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .system(SystemError("open", path)) }
        let descriptor = FileDescriptor(owning: raw)
        guard retryingOnInterrupt({ flock(raw, LOCK_EX | LOCK_NB) }) == 0 else {
            guard errno == EWOULDBLOCK else { throw .system(SystemError("lock", path)) }
            throw .inUse(directory: directory, process: holder(raw))
        }
        try sign(raw, path)
        return descriptor
    }

    /// Writes down who holds it.
    private static func sign(_ raw: Int32, _ path: String) throws(StorageError) {
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(raw, 0) == 0, pwrite(raw, text, text.count, 0) == text.count else {
            throw .system(SystemError("write", path))
        }
    }

    private static func holder(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self))
    }
}
