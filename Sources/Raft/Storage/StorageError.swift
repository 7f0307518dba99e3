import Posix

/// Why storage can not go on. None of them is retried: the node stops, and a person decides.
package enum StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A file operation failed. After a failed write or sync nothing is written any more, for the kernel may have
    /// dropped what it could not write (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
    case system(SystemError)
    /// A file holds something else than what was written there.
    case damaged(file: String, offset: Int, problem: String)
    /// The data directory and this node do not belong together.
    case mismatch(directory: String, problem: String)
    case inUse(directory: String, process: Int32?)
    /// The disk takes so long that no more writes can be queued.
    case behind

    package var description: String {
        switch self {
        case .system(let error):
            "storage: \(error); \(error.cure)"
        case .damaged(let file, let offset, let problem):
            "\(file): damaged at byte \(offset): \(problem). Nothing was changed; restore the file from a backup, or "
                + "remove this node from the cluster and let it join anew with an empty data directory"
        case .mismatch(let directory, let problem):
            "\(directory): \(problem)"
        case .inUse(let directory, let process):
            "\(directory): in use by \(process.map { "process \($0)" } ?? "another process"); stop it first, or name "
                + "another dataDirectory"
        case .behind:
            "storage: the disk is so far behind that no more writes can be queued"
        }
    }
}
