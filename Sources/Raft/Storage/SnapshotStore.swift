import Posix

/// The snapshot files of one node. Only the newest one is kept: it is durable before the log before it goes.
package struct SnapshotStore<D: Disk>: Sendable {
    private let disk: D
    private let directory: String
    private let incarnation: UInt64

    package init(disk: D, directory: String, incarnation: UInt64) {
        self.disk = disk
        self.directory = directory
        self.incarnation = incarnation
    }

    /// The newest snapshot, nil when there is none yet. An older one is never taken in its place: the log between
    /// the two is gone.
    package func load() throws(StorageError) -> Snapshot? {
        let newest: LogIndex?
        do throws(SystemError) {
            let names = try disk.names(in: directory)
            try disk.removeTemporaries(in: directory, names: names)
            // A name that the last process saw may not be on the disk yet.
            try disk.syncDirectory(directory)
            newest = names.compactMap(SnapshotFile.index(ofFile:)).max()
        } catch { throw .system(error) }
        guard let newest else { return nil }
        let path = "\(directory)/\(SnapshotFile.name(newest))"
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try disk.contents(of: path) } catch { throw .system(error) }
        do throws(MalformedBytes) {
            let snapshot = try SnapshotFile.decode(bytes, incarnation: incarnation)
            guard snapshot.index == newest else {
                throw MalformedBytes(at: 20, expected: "index \(newest), as the file's name says")
            }
            return snapshot
        } catch {
            throw .damaged(file: path, offset: error.offset, problem: "expected \(error.expected)")
        }
    }

    /// Returns when the snapshot is durable.
    package func save(_ snapshot: Snapshot) throws(StorageError) {
        do throws(SystemError) {
            try disk.replace(
                SnapshotFile.name(snapshot.index), in: directory,
                with: SnapshotFile.encode(snapshot, incarnation: incarnation))
        } catch { throw .system(error) }
    }

    /// Removes all snapshots before the one at `index`.
    package func removeOlder(than index: LogIndex) throws(StorageError) {
        do throws(SystemError) {
            for name in try disk.names(in: directory) {
                if let other = SnapshotFile.index(ofFile: name), other < index {
                    try disk.remove("\(directory)/\(name)")
                }
            }
        } catch { throw .system(error) }
    }
}
