import Gateway
import Glibc
import Posix

/// Files that the operator names.
enum File {
    /// Reads a configuration file, of at most the size that a configuration may have.
    static func read(_ path: String) throws(CommandFailure) -> [UInt8] {
        let limit = JSON5Parser.Limit.bytes
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw failure(path, errno) }
        let file = FileDescriptor(owning: raw)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = retryingOnInterrupt { Glibc.read(file.raw, &buffer, buffer.count) }
            if count == 0 { return bytes }
            if count < 0 { throw failure(path, errno) }
            bytes += buffer[..<count]
            if bytes.count > limit {
                throw CommandFailure(.failure, "\(path) is larger than \(limit) bytes, which no configuration may be")
            }
        }
    }

    private static func failure(_ path: String, _ code: Int32) -> CommandFailure {
        let cure =
            switch code {
            case ENOENT: "check the path"
            case EACCES: "make it readable for this user"
            case EISDIR: "name a file in it"
            case _: "check the file"
            }
        return CommandFailure(.failure, "cannot read \(path): \(SystemError.message(for: code)); \(cure)")
    }
}
