import Gateway
import Glibc
import Posix
import Raft

/// `gwnode force-new-cluster`.
enum ForceNewClusterCommand {
    static func run(configPath: String, isConfirmed: Bool) throws(CommandFailure) -> ExitCode {
        let stopped = try StoppedNode(configPath: configPath)
        let node = stopped.configuration.node
        guard access("\(stopped.directory)/identity", F_OK) == 0 else {
            throw CommandFailure(
                .failure, "\(stopped.directory) holds no data of a node; check dataDirectory in \(configPath)")
        }
        var report = ""
        try stopped.standAlone { recovered throws(CommandFailure) in
            let plan = try Plan(recovered, for: node.id, in: stopped.directory)
            guard isConfirmed else {
                throw CommandFailure(
                    .failure,
                    "would make node \(node.id) (\(node.name)) the only member of cluster "
                        + "\(stopped.configuration.cluster), with \(plan.content), and remove \(plan.others) for good; "
                        + "what only those hold is lost, and none of them may ever run again; add --yes to do it")
            }
            let incarnation = ClusterIncarnation.random()
            report = """
                node \(node.id) (\(node.name)) is the only member of cluster \(stopped.configuration.cluster), \
                with \(plan.content), incarnation \(incarnation); \(plan.others) removed
                start it, then add others under new ids: gwnode members add

                """
            return StoppedNode.StandAlone(commands: plan.commands, cluster: incarnation)
        }
        Terminal.write(report)
        return .success
    }

    /// What the node has and what has to be done.
    private struct Plan {
        var commands: [[UInt8]]
        var others: String
        var content: String

        init(
            _ recovered: NodeStorage<FileSystem>.Recovered, for node: NodeID, in directory: String
        ) throws(CommandFailure) {
            guard recovered.snapshot != nil || !recovered.entries.isEmpty else {
                throw CommandFailure(
                    .failure, "\(directory) holds nothing of the cluster yet; choose a node that has served")
            }
            var state = ReplicatedState()
            var membership = recovered.snapshot?.membership ?? Membership(voters: [])
            if let snapshot = recovered.snapshot {
                do throws(DecodingFault) { state = try ReplicatedState(decoding: snapshot.state) } catch {
                    throw CommandFailure(
                        .failure, "\(directory): the state can not be read (\(error)); was the node of a newer gwnode?")
                }
            }
            for entry in recovered.entries {
                switch entry.payload {
                case .noop: break
                case .command(_, let bytes):
                    // One that can not be read is refused by a running node too.
                    if let change = try? ReplicatedState.Change(decoding: bytes) { _ = state.apply(change) }
                case .membership(let newer): membership = newer
                }
            }
            if state.cluster.aims[node] == .removed {
                throw CommandFailure(.failure, "node \(node) was removed from its cluster; choose another node")
            }
            let list = state.commands(leaving: node, of: membership, at: .now())
            commands = list.map { $0.encoded() }
            let removed = list.compactMap { command -> String? in
                guard case .changeMember(let change) = command, case .remove(let other) = change.wish else {
                    return nil
                }
                return "node \(other)"
            }
            others = removed.isEmpty ? "no other node" : removed.joined(separator: ", ")
            let keys = state.keys.records.count
            content = "configuration \(state.cluster.revision) and \(keys) key\(keys == 1 ? "" : "s")"
        }
    }
}
