import Gateway

/// `gwnode config show`, `apply`, `history`, `diff` and `rollback`.
enum ConfigurationCommands {
    static func show(
        _ client: ClusterClient, _ revision: Revision?, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> ExitCode {
        let answer = try text(client, revision, consistency)
        Terminal.write(String(decoding: answer.body, as: UTF8.self))
        if let tag = answer.entityTag { Terminal.note("revision \(Terminal.printable(tag.filter { $0 != "\"" }))") }
        if revision == nil { try noteRegistrations(client) }
        return .success
    }

    /// Backends that are not in the text because they registered themselves.
    private static func noteRegistrations(_ client: ClusterClient) throws(CommandFailure) {
        let count = try client.status(.stale).upstreams.flatMap(\.backends).count { $0.registration != nil }
        if count > 0 { Terminal.note("\(count) more registered by themselves, see `gwnode backend list`") }
    }

    static func apply(
        _ client: ClusterClient, file: String, ifRevision: Revision?
    ) throws(CommandFailure) -> ExitCode {
        let source = try File.read(file, as: .gateway)
        let target = "/v1/config?name=\(PercentEncoding.encode(file))"
        let document = try client.ask(for: RevisionDocument.self, .put(target, source, ifMatch: tag(ifRevision)))
        guard let revision = document.revision else {
            throw CommandFailure(.failure, "the node's answer names no revision; see `gwnode status`")
        }
        Terminal.write("revision \(revision) is in force\n")
        return .success
    }

    static func history(
        _ client: ClusterClient, _ format: OutputFormat, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> ExitCode {
        let history = try client.ask(for: HistoryDocument.self, .get("/v1/config/history", [], consistency))
        switch format {
        case .json: Terminal.write(String(decoding: AdminResponse.json(history).body, as: UTF8.self))
        case .table:
            let lines = HistoryReport.table(history).lines(coloured: Terminal.isColoured)
            Terminal.write(lines.map { $0 + "\n" }.joined())
        }
        return .success
    }

    static func compare(
        _ client: ClusterClient, from: Revision?, to: Revision?, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> ExitCode {
        let query = [from.map { "from=\($0)" }, to.map { "to=\($0)" }].compactMap(\.self)
        let answer = try client.ask(.get("/v1/config/diff", query, consistency))
        Terminal.write(DifferenceReport.text(String(decoding: answer.body, as: UTF8.self)))
        return .success
    }

    static func compare(
        _ client: ClusterClient, from: Revision?, file: String, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> ExitCode {
        let source = String(decoding: try File.read(file, as: .gateway), as: UTF8.self)
        let answer = try text(client, from, consistency)
        let revision = answer.entityTag.map { $0.filter { $0 != "\"" } } ?? "in force"
        let difference = LineDifference(from: String(decoding: answer.body, as: UTF8.self), to: source)
        Terminal.write(DifferenceReport.text(difference.unified(from: "revision \(revision)", to: file)))
        return .success
    }

    static func rollBack(
        _ client: ClusterClient, to revision: Revision?, ifRevision: Revision?
    ) throws(CommandFailure) -> ExitCode {
        let body = MemberCommands.encoded(RollbackDocument(revision: revision?.number))
        let call = AdminCall.post("/v1/config/rollback", body, ifMatch: tag(ifRevision))
        let restored = try client.ask(for: RestoredDocument.self, call)
        Terminal.write("revision \(restored.revision) is in force, with the text of revision \(restored.restored)\n")
        return .success
    }

    private static func text(
        _ client: ClusterClient, _ revision: Revision?, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> AdminAnswer {
        try client.ask(.get("/v1/config", revision.map { ["revision=\($0)"] } ?? [], consistency))
    }

    private static func tag(_ revision: Revision?) -> String? { revision.map { "\"\($0)\"" } }
}
