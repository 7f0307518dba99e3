import Glibc
import Posix

/// Reads certificates and keys; what goes wrong names the file.
package enum PEMFile {
    private static let limit = 1 << 20

    package static func certificates(_ path: String) throws(TLSFailure) -> [Certificate] {
        try reading(path) { text throws(TLSFailure) in try Certificate.readAll(text) }
    }

    package static func key(_ path: String) throws(TLSFailure) -> PrivateKey {
        try reading(path) { text throws(TLSFailure) in
            try checkSecrecy(path)
            return try PrivateKey.read(text)
        }
    }

    private static func reading<Value>(
        _ path: String, _ body: ([UInt8]) throws(TLSFailure) -> Value
    ) throws(TLSFailure) -> Value {
        let text: [UInt8]
        do throws(SystemError) { text = try readFile(path, limit: limit) } catch {
            throw TLSFailure("\(error); \(error.cure)")
        }
        do throws(TLSFailure) { return try body(text) } catch { throw TLSFailure("\(path): \(error)") }
    }

    /// A key that everybody may read proves nothing.
    private static func checkSecrecy(_ path: String) throws(TLSFailure) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & 0o007 == 0 else {
            throw TLSFailure("every user of this machine may use this key; `chmod 600` it and make a new one")
        }
    }
}

/// By what a changed file is known without reading it.
package struct FileFingerprint: Hashable, Sendable {
    private var inode: UInt = 0
    private var bytes = 0
    private var changedSeconds = 0
    private var changedNanoseconds = 0

    /// Of a file that is not there too.
    package init(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        inode = status.st_ino
        bytes = status.st_size
        changedSeconds = status.st_mtim.tv_sec
        changedNanoseconds = status.st_mtim.tv_nsec
    }
}
