import Glibc
import Posix
import Raft

/// A disk that holds a few files and forgets what is written to it.
struct FileInMemory: Disk {
    struct File: Sendable {}

    /// By their paths.
    let files: [String: [UInt8]]

    func createDirectory(_ path: String) {}

    func names(in directory: String) -> [String] {
        files.keys.filter { $0.hasPrefix(directory + "/") }.map { String($0.dropFirst(directory.count + 1)) }
    }

    func contents(of path: String) throws(SystemError) -> [UInt8] {
        guard let bytes = files[path] else { throw SystemError("open", path, code: ENOENT) }
        return bytes
    }

    func create(_ path: String, reserving bytes: Int) -> File { File() }
    func open(_ path: String) -> File { File() }
    func write(_ bytes: [UInt8], to file: File, at offset: Int) {}
    func sync(_ file: File) {}
    func rename(_ old: String, to new: String) {}
    func remove(_ path: String) {}
    func syncDirectory(_ path: String) {}
}
