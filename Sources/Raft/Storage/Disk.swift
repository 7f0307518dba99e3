import Posix

/// The file operations that storage needs. Production uses `FileSystem`; tests put a disk in its place that
/// crashes, tears writes and fails syncs. Paths are absolute.
package protocol Disk: Sendable {
    associatedtype File: Sendable

    /// Does nothing when the directory is there already.
    func createDirectory(_ path: String) throws(SystemError)
    /// The names of the entries of a directory, without an order.
    func names(in directory: String) throws(SystemError) -> [String]
    func contents(of path: String) throws(SystemError) -> [UInt8]
    /// A file open for writing that is empty or `bytes` zeros long, with that much room set aside; an older one of that
    /// name is replaced.
    func create(_ path: String, reserving bytes: Int) throws(SystemError) -> File
    /// A `create` with the same arguments comes later, and may take less time if it is begun now.
    func prepare(_ path: String, reserving bytes: Int)
    /// An existing file, open for writing.
    func open(_ path: String) throws(SystemError) -> File
    /// Writes all of `bytes` at `offset`; not durable before `sync`.
    func write(_ bytes: [UInt8], to file: File, at offset: Int) throws(SystemError)
    /// Makes what was written to the file durable (fdatasync).
    func sync(_ file: File) throws(SystemError)
    /// Replaces what `new` names, atomically; durable after `syncDirectory`.
    func rename(_ old: String, to new: String) throws(SystemError)
    func remove(_ path: String) throws(SystemError)
    /// Makes creations, renames and removals in a directory durable.
    func syncDirectory(_ path: String) throws(SystemError)
}

extension Disk {
    package func prepare(_ path: String, reserving bytes: Int) {}

    /// Puts a whole file in place so that after a crash either all of it is there or nothing: temporary file, sync,
    /// rename, sync of the directory.
    package func replace(_ name: String, in directory: String, with bytes: [UInt8]) throws(SystemError) {
        let temporary = "\(directory)/\(name)\(temporarySuffix)"
        let file = try create(temporary, reserving: 0)
        // Piece by piece, so that a sync of another file never waits for all of a big one.
        for start in stride(from: 0, to: bytes.count, by: replacementPiece) {
            let piece = bytes[start..<min(start + replacementPiece, bytes.count)]
            try write(Array(piece), to: file, at: start)
            try sync(file)
        }
        try rename(temporary, to: "\(directory)/\(name)")
        try syncDirectory(directory)
    }

    /// Removes what a crash left half written.
    package func removeTemporaries(in directory: String, names: [String]) throws(SystemError) {
        for name in names where name.hasSuffix(temporarySuffix) { try remove("\(directory)/\(name)") }
    }
}

/// Written between two syncs of a file that replaces another.
private let replacementPiece = 1 << 20

/// Names that end so are never read.
package let temporarySuffix = ".tmp"
