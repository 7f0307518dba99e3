import Gateway
import Posix

/// Files that the operator names.
enum File {
    /// Reads a configuration file, of at most the size that a configuration may have.
    static func read(_ path: String) throws(CommandFailure) -> [UInt8] {
        do throws(SystemError) { return try readFile(path, limit: JSON5Parser.Limit.bytes) } catch {
            let reason = SystemError.message(for: error.code)
            throw CommandFailure(.failure, "cannot read \(path): \(reason); \(error.cure)")
        }
    }
}
