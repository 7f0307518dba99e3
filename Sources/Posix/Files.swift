import CLinux
import Glibc

/// Reads a whole file of at most `limit` bytes; a longer one is EFBIG.
package func readFile(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
    let raw = retryingOnInterrupt { open(path, O_RDONLY | O_CLOEXEC) }
    guard raw >= 0 else { throw SystemError("open", path) }
    let file = FileDescriptor(owning: raw)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = retryingOnInterrupt { read(file.raw, &chunk, chunk.count) }
        guard count >= 0 else { throw SystemError("read", path) }
        if count == 0 { return bytes }
        bytes += chunk[..<count]
        if bytes.count > limit { throw SystemError("read", path, code: EFBIG) }
    }
}

/// Puts a new file in the place of an old one: after a crash, one of the two is there as a whole. Only this user may
/// read it unless `mode` says otherwise.
package func replaceFile(_ path: String, with bytes: [UInt8], mode: mode_t = 0o600) throws(SystemError) {
    let temporary = path + ".new"
    let raw = retryingOnInterrupt { open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode) }
    guard raw >= 0 else { throw SystemError("open", temporary) }
    let file = FileDescriptor(owning: raw)
    var written = 0
    while written < bytes.count {
        let count = bytes.withUnsafeBytes { buffer in
            retryingOnInterrupt { write(file.raw, buffer.baseAddress! + written, buffer.count - written) }
        }
        guard count > 0 else { throw SystemError("write", temporary) }
        written += count
    }
    guard fsync(file.raw) == 0 else { throw SystemError("fsync", temporary) }
    guard rename(temporary, path) == 0 else { throw SystemError("rename to", path) }
}

/// Makes a directory and those above it that are missing, for this user alone.
package func makeDirectories(_ path: String) throws(SystemError) {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
        throw SystemError("create directory", path)
    }
    try makeDirectories(String(path[..<slash]))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemError("create directory", path) }
}
