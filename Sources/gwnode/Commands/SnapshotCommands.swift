import Gateway
import Glibc
import Posix
import Raft

/// `gwnode snapshot save`, `show` and `restore`.
enum SnapshotCommands {
    static func save(
        _ client: ClusterClient, to file: String, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> ExitCode {
        let answer = try client.ask(.get("/v1/snapshot", [], consistency))
        let archive = try decoded(answer.body, from: "the node's answer")
        let slash = file.lastIndex(of: "/")
        let directory = slash.map { file[..<$0].isEmpty ? "/" : String(file[..<$0]) } ?? "."
        let name = slash.map { String(file[file.index(after: $0)...]) } ?? file
        if name.isEmpty { throw CommandFailure(.failure, "\(file) is a directory; name a file in it") }
        do throws(SystemError) {
            try FileSystem().replace(name, in: directory, with: answer.body)
        } catch {
            let reason = SystemError.message(for: error.code)
            throw CommandFailure(.failure, "cannot write \(file): \(reason); \(error.cure)")
        }
        Terminal.write("\(Terminal.printable(file)): \(summary(of: archive))\n")
        return .success
    }

    static func show(_ file: String) throws(CommandFailure) -> ExitCode {
        let archive = try read(file)
        let state = try replicatedState(of: archive, file)
        var table = TextTable(columns: [.left, .left])
        let members = state.cluster.members.keys.sorted().map(\.description).joined(separator: ", ")
        let rows = [
            ("cluster", archive.cluster), ("taken", "\(archive.takenAt) at node \(archive.takenBy)"),
            ("configuration", "revision \(archive.revision)"), ("keys", "\(archive.keyCount)"),
            ("members", members), ("entry", "\(archive.index), term \(archive.term)"),
            ("state", "\(archive.state.count) bytes, whole"),
        ]
        for (name, value) in rows { table.add([.init(name, .heading), .init(value)]) }
        Terminal.write(table.lines(coloured: Terminal.isColoured).map { $0 + "\n" }.joined())
        return .success
    }

    static func restore(
        _ file: String, configPath: String, token: String?, isConfirmed: Bool
    ) throws(CommandFailure) -> ExitCode {
        let archive = try read(file)
        var state = try replicatedState(of: archive, file)
        let node = try StoppedNode(configPath: configPath)
        guard archive.cluster == node.configuration.cluster else {
            throw CommandFailure(
                .failure,
                "\(file) is of cluster '\(archive.cluster)', but \(configPath) of '\(node.configuration.cluster)'; "
                    + "name the snapshot or the node file that belongs to the other")
        }
        let voters = node.configuration.peers.map(\.id)
        let token = token ?? String(UInt64.random(in: 1...UInt64.max), radix: 16)
        let incarnation = ClusterIncarnation(token: token, stateChecksum: archive.checksum, members: voters)
        try node.expectEmptyDirectory()
        guard isConfirmed else {
            throw CommandFailure(
                .failure,
                "would make \(node.directory) a member of a new cluster from \(summary(of: archive)); changes after it "
                    + "are lost, and no node with older data may run any more; add --yes to do it")
        }
        state.beginAgain(with: voters)
        let snapshot = Snapshot(
            index: max(archive.index, LogIndex(1)), term: max(archive.term, Term(1)),
            membership: Membership(voters: voters), state: state.encoded())
        try node.restore(snapshot, cluster: incarnation)
        Terminal.write(
            """
            \(node.directory) holds \(summary(of: archive)), incarnation \(incarnation)
            on the other nodes, before any is started: gwnode snapshot restore FILE --config NODE-FILE --token \(token) --yes

            """)
        return .success
    }

    private static func read(_ file: String) throws(CommandFailure) -> SnapshotArchive {
        try decoded(try File.read(file, limit: SnapshotArchive.byteLimit), from: file)
    }

    private static func decoded(_ bytes: [UInt8], from source: String) throws(CommandFailure) -> SnapshotArchive {
        do throws(SnapshotArchive.Fault) { return try SnapshotArchive(decoding: bytes) } catch {
            throw CommandFailure(.failure, "\(source): \(error)")
        }
    }

    private static func replicatedState(
        of archive: SnapshotArchive, _ file: String
    ) throws(CommandFailure) -> ReplicatedState {
        do throws(SnapshotArchive.Fault) { return try archive.replicatedState() } catch {
            throw CommandFailure(.failure, "\(file): \(error)")
        }
    }

    private static func summary(of archive: SnapshotArchive) -> String {
        let keys = "\(archive.keyCount) key\(archive.keyCount == 1 ? "" : "s")"
        return Terminal.printable(
            "configuration \(archive.revision) and \(keys) of cluster \(archive.cluster), taken \(archive.takenAt)")
    }
}
