import Gateway
import Posix

/// Files that the operator names.
enum File {
    /// Reads a configuration file, of at most the size that a configuration may have.
    static func read(_ path: String) throws(CommandFailure) -> [UInt8] {
        try read(path, limit: JSON5Parser.Limit.bytes)
    }

    /// Reads a configuration file that is to be of `kind`.
    static func read(_ path: String, as kind: ConfigurationFileKind) throws(CommandFailure) -> [UInt8] {
        let bytes = try read(path)
        if let objection = kind.objection(to: bytes, at: path) { throw CommandFailure(.failure, objection) }
        return bytes
    }

    /// Reads a file of at most `limit` bytes.
    static func read(_ path: String, limit: Int) throws(CommandFailure) -> [UInt8] {
        do throws(SystemError) { return try readFile(path, limit: limit) } catch {
            let reason = SystemError.message(for: error.code)
            throw CommandFailure(.failure, "cannot read \(path): \(reason); \(error.cure)")
        }
    }
}
