import Gateway
import Glibc
import Posix
import Raft

/// The data directory of a node that does not run, as its node file names it. What is done to it is done as its owner,
/// so that the node can read it afterwards.
struct StoppedNode: Sendable {
    let configuration: NodeConfiguration
    private let disk = FileSystem()

    var directory: String { configuration.dataDirectory }

    init(configPath: String) throws(CommandFailure) {
        let bytes = try File.read(configPath, as: .node)
        do throws(ConfigurationProblems) {
            configuration = try NodeConfiguration.read(bytes, file: configPath)
        } catch {
            throw CommandFailure(.failure, lines: error.problems.map(\.description))
        }
    }

    func expectEmptyDirectory() throws(CommandFailure) {
        guard access(directory, F_OK) == 0 else { return }
        try Self.explaining { () throws(StorageError) in
            try NodeStorage.expectEmpty(directory, disk)
        }
    }

    func restore(_ snapshot: Snapshot, cluster: ClusterIncarnation) throws(CommandFailure) {
        try becomeOwner()
        try Self.explaining { () throws(StorageError) in
            do throws(SystemError) { try makeDirectories(directory) } catch { throw .system(error) }
            let lock = try DirectoryLock(directory: directory)
            try NodeStorage.restore(snapshot, in: directory, disk: disk, owner: owner, cluster: cluster)
            withExtendedLifetime(lock) {}
        }
    }

    /// What is there, and the change, as `body` wants it: nil leaves all as it is.
    func standAlone(
        _ body: (NodeStorage<FileSystem>.Recovered) throws(CommandFailure) -> StandAlone?
    ) throws(CommandFailure) {
        try becomeOwner()
        let lock = try Self.explaining { () throws(StorageError) in try DirectoryLock(directory: directory) }
        var recovered = NodeStorage<FileSystem>.Recovered()
        var storage = try Self.explaining { () throws(StorageError) in
            try NodeStorage.open(directory, disk: disk, owner: owner, into: &recovered)
        }
        if let change = try body(recovered) {
            try Self.explaining { () throws(StorageError) in
                try storage.standAlone(
                    after: recovered, running: change.commands, boot: .random(in: 1...UInt64.max),
                    cluster: change.cluster)
            }
        }
        withExtendedLifetime(lock) {}
    }

    struct StandAlone {
        var commands: [[UInt8]]
        var cluster: ClusterIncarnation
    }

    private var owner: NodeStorage<FileSystem>.Owner {
        .init(
            cluster: configuration.cluster, node: configuration.node.id,
            newIncarnation: .random(in: 1...UInt64.max), created: WallTime.now().description)
    }

    /// As root, takes on the user that the directory belongs to; for good, as the process ends after its one command.
    private func becomeOwner() throws(CommandFailure) {
        var status = stat()
        guard geteuid() == 0, stat(directory, &status) == 0, status.st_uid != 0 else { return }
        guard setgroups(0, nil) == 0, setgid(status.st_gid) == 0, setuid(status.st_uid) == 0 else {
            let reason = SystemError.message(for: errno)
            throw CommandFailure(.failure, "cannot act as the owner of \(directory): \(reason); run this as that user")
        }
    }

    private static func explaining<Value: ~Copyable>(
        _ body: () throws(StorageError) -> Value
    ) throws(CommandFailure) -> Value {
        do throws(StorageError) { return try body() } catch { throw CommandFailure(.failure, error.description) }
    }
}
