import FoundationEssentials
import Gateway
import Posix

/// `gwnode members list`, `add`, `promote` and `remove`.
enum MemberCommands {
    private static let removalTime = Nanoseconds.seconds(10)

    static func list(_ client: ClusterClient, _ format: OutputFormat) throws(CommandFailure) -> ExitCode {
        let members = try client.status().nodes
        switch format {
        case .json:
            let document = MembersDocument(members: members)
            Terminal.write(String(decoding: AdminResponse.json(document).body, as: UTF8.self))
        case .table:
            let lines = MemberReport.table(members).lines(coloured: Terminal.isColoured)
            Terminal.write(lines.map { $0 + "\n" }.joined())
        }
        return .success
    }

    static func add(
        _ client: ClusterClient, id: UInt64, _ document: NewMemberDocument
    ) throws(CommandFailure) -> ExitCode {
        _ = try client.ask(.put("/v1/members/\(id)", encoded(document)))
        let name = Terminal.printable(document.name)
        let promise = document.votes ? "becomes a voter once it runs and has caught up" : "stays a learner"
        Terminal.write("\(name) (\(id)) is a member of the cluster and \(promise)\n")
        Terminal.write("its node file needs `join: true` and these peers:\n")
        Terminal.write(MemberReport.peers(try client.status().nodes))
        return .success
    }

    static func promote(_ client: ClusterClient, _ node: String) throws(CommandFailure) -> ExitCode {
        let member = try client.member(node)
        _ = try client.ask(.put("/v1/members/\(member.id)/vote", []))
        Terminal.write("\(Terminal.printable(member.name)) (\(member.id)) becomes a voter once it has caught up\n")
        return .success
    }

    /// Returns when the node is no member any more.
    static func remove(_ client: ClusterClient, _ node: String) throws(CommandFailure) -> ExitCode {
        let member = try client.member(node)
        let name = "\(Terminal.printable(member.name)) (\(member.id))"
        _ = try client.ask(.delete("/v1/members/\(member.id)"))
        let isOut = try client.wait(removalTime) { status in !status.nodes.contains { $0.id == member.id } }
        guard isOut else {
            throw CommandFailure(
                .failure, "the removal of \(name) is agreed on but not finished; `gwnode members list` shows it")
        }
        Terminal.write("\(name) is removed; it stops by itself, and its id is never used again\n")
        return .success
    }

    static func encoded(_ document: some Encodable) -> [UInt8] {
        guard let data = try? JSONEncoder().encode(document) else {
            preconditionFailure("documents hold no number that JSON can not express")
        }
        return Array(data)
    }
}

/// `gwnode leader transfer`.
enum LeaderCommands {
    /// Requests under way may finish first.
    private static let transferTime = NodeConfiguration.longestMoveTimeout + .seconds(5)

    /// Returns when another node leads.
    static func transfer(_ client: ClusterClient, to node: String?) throws(CommandFailure) -> ExitCode {
        let before = try client.status()
        var target: StatusDocument.Node?
        if let node { target = try client.member(node) }
        if let target, target.id == before.leader {
            Terminal.write("\(Terminal.printable(target.name)) (\(target.id)) leads already\n")
            return .success
        }
        let body = MemberCommands.encoded(LeadershipMoveDocument(to: target?.id))
        _ = try client.ask(.post("/v1/leader/transfer", body))
        var after = before
        let hasMoved = try client.wait(transferTime) { status in
            after = status
            guard let leader = status.leader, status.term > before.term else { return false }
            return target.map { $0.id == leader } ?? (leader != before.leader)
        }
        guard hasMoved, let leader = after.nodes.first(where: { $0.id == after.leader }) else {
            let present = after.leader.map { "node \($0) leads" } ?? "nobody leads"
            throw CommandFailure(.failure, "leadership was not handed over: \(present); try again")
        }
        Terminal.write("\(Terminal.printable(leader.name)) (\(leader.id)) leads, term \(after.term)\n")
        return .success
    }
}
