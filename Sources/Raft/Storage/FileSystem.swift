import CLinux
import Glibc
import Posix
import Synchronization

/// The kernel's file system.
package final class FileSystem: Disk {
    package final class File: Sendable {
        fileprivate let descriptor: FileDescriptor
        fileprivate let path: String

        fileprivate init(_ descriptor: consuming FileDescriptor, _ path: String) {
            self.descriptor = descriptor
            self.path = path
        }
    }

    private static let fileMode: mode_t = 0o600
    private static let directoryMode: mode_t = 0o700
    /// Zeros written at a time.
    private static let fillBytes = 256 << 10

    /// At most one: what `prepare` began last.
    private let prepared = Mutex<PreparedFile?>(nil)

    package init() {}

    package func createDirectory(_ path: String) throws(SystemError) {
        guard mkdir(path, Self.directoryMode) == 0 || errno == EEXIST else {
            throw SystemError("create directory", path)
        }
    }

    package func names(in directory: String) throws(SystemError) -> [String] {
        guard let stream = opendir(directory) else { throw SystemError("read directory", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw SystemError("read directory", directory) }
                return names.filter { $0 != "." && $0 != ".." }
            }
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
    }

    package func contents(of path: String) throws(SystemError) -> [UInt8] {
        let file = try Self.openFile(path, O_RDONLY)
        var status = stat()
        guard fstat(file.descriptor.raw, &status) == 0 else { throw SystemError("fstat", path) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                retryingOnInterrupt {
                    pread(file.descriptor.raw, buffer.baseAddress! + filled, buffer.count - filled, off_t(filled))
                }
            }
            guard count >= 0 else { throw SystemError("read", path) }
            if count == 0 { break }
            filled += count
        }
        bytes.removeLast(bytes.count - filled)
        return bytes
    }

    package func create(_ path: String, reserving bytes: Int) throws(SystemError) -> File {
        // Other files are made meanwhile, from other threads too.
        let ready = prepared.withLock { $0?.path == path ? $0.take() : nil }
        if let ready, let file = ready.take(), ready.bytes == bytes { return file }
        return try Self.make(path, filledTo: bytes)
    }

    package func prepare(_ path: String, reserving bytes: Int) {
        prepared.withLock { prepared in
            if prepared == nil { prepared = PreparedFile(path, reserving: bytes) }
        }
    }

    /// A new file of `bytes` zeros. They are written out: blocks that are only set aside cost each first sync of them
    /// a change of the file's metadata, and with it a commit of the file system's journal.
    static func make(_ path: String, filledTo bytes: Int) throws(SystemError) -> File {
        let file = try openFile(path, O_RDWR | O_CREAT | O_TRUNC)
        guard bytes > 0 else { return file }
        let isReserved = retryingOnInterrupt { clinux_fallocate(file.descriptor.raw, 0, off_t(bytes)) } == 0
        // Some file systems (NFS before 4.2, some FUSE) can not reserve in one piece.
        guard isReserved || errno == EOPNOTSUPP else { throw SystemError("reserve \(bytes) bytes for", path) }
        let zeros = [UInt8](repeating: 0, count: min(bytes, fillBytes))
        for offset in stride(from: 0, to: bytes, by: fillBytes) {
            try write(zeros[..<min(fillBytes, bytes - offset)], to: file, at: offset)
        }
        try sync(file)
        return file
    }

    package func open(_ path: String) throws(SystemError) -> File { try Self.openFile(path, O_RDWR) }

    package func write(_ bytes: [UInt8], to file: File, at offset: Int) throws(SystemError) {
        try Self.write(bytes[...], to: file, at: offset)
    }

    package func sync(_ file: File) throws(SystemError) { try Self.sync(file) }

    private static func write(_ bytes: ArraySlice<UInt8>, to file: File, at offset: Int) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                retryingOnInterrupt {
                    pwrite(
                        file.descriptor.raw, buffer.baseAddress! + written, buffer.count - written,
                        off_t(offset + written))
                }
            }
            guard count > 0 else { throw SystemError("write", file.path) }
            written += count
        }
    }

    private static func sync(_ file: File) throws(SystemError) {
        // Not retried, not even on EINTR: after a failed sync the kernel may have dropped the dirty pages.
        guard fdatasync(file.descriptor.raw) == 0 else { throw SystemError("fdatasync", file.path) }
    }

    package func rename(_ old: String, to new: String) throws(SystemError) {
        guard Glibc.rename(old, new) == 0 else { throw SystemError("rename", "\(old) to \(new)") }
    }

    package func remove(_ path: String) throws(SystemError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw SystemError("remove", path) }
    }

    package func syncDirectory(_ path: String) throws(SystemError) {
        let directory = try Self.openFile(path, O_RDONLY | O_DIRECTORY)
        guard fsync(directory.descriptor.raw) == 0 else { throw SystemError("fsync", path) }
    }

    private static func openFile(_ path: String, _ flags: Int32) throws(SystemError) -> File {
        let raw = retryingOnInterrupt { Glibc.open(path, flags | O_CLOEXEC, Self.fileMode) }
        guard raw >= 0 else { throw SystemError("open", path) }
        return File(FileDescriptor(owning: raw), path)
    }
}
