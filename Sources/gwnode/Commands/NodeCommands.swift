import Gateway
import Posix

/// `gwnode node drain` and `node undrain`.
enum NodeCommands {
    /// Requests under way may finish first.
    private static let moveTime = NodeConfiguration.longestMoveTimeout + .seconds(5)

    /// Returns when the node neither leads nor holds an address, or no other node could.
    static func drain(_ client: ClusterClient, _ node: String) throws(CommandFailure) -> ExitCode {
        let member = try client.member(node)
        _ = try client.ask(.put("/v1/members/\(member.id)/drain", []))
        let name = "\(Terminal.printable(member.name)) (\(member.id))"
        var last: StatusDocument?
        let isRelieved = try client.wait(moveTime) { status in
            last = status
            let isHolder = status.virtualAddresses.contains { $0.holder == member.id }
            let isRelieved = status.leader != nil && status.leader != member.id && !isHolder
            return isRelieved || !hasHeir(status, of: member.id)
        }
        guard isRelieved, let last else {
            throw CommandFailure(.failure, "\(name) is drained but still leads; `gwnode status` shows why")
        }
        guard last.leader != member.id else {
            Terminal.write("\(name) is drained, and leads until another voter can that is alive and not drained\n")
            return .success
        }
        let leader = last.nodes.first { $0.id == last.leader }
        let leaderName = leader.map { Terminal.printable($0.name) } ?? "another node"
        Terminal.write("\(name) is drained; \(leaderName) leads, term \(last.term)\n")
        return .success
    }

    static func undrain(_ client: ClusterClient, _ node: String) throws(CommandFailure) -> ExitCode {
        let member = try client.member(node)
        _ = try client.ask(.delete("/v1/members/\(member.id)/drain"))
        Terminal.write("\(Terminal.printable(member.name)) (\(member.id)) may lead again\n")
        return .success
    }

    /// Whether another node could take over.
    private static func hasHeir(_ status: StatusDocument, of node: UInt64) -> Bool {
        status.nodes.contains { heir in
            heir.id != node && heir.member == .voter && heir.alive && !heir.drained && heir.transition != .leaving
        }
    }
}
