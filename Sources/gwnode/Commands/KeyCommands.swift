import FoundationEssentials
import Gateway

/// `gwnode keys list`, `get`, `put` and `delete`.
enum KeyCommands {
    static func list(
        _ client: ClusterClient, prefix: String, _ format: OutputFormat, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> ExitCode {
        let target = "/v1/keys?prefix=\(PercentEncoding.encode(prefix))\(consistency == .stale ? "&stale" : "")"
        let answer = try client.ask(.get(target))
        switch format {
        case .json: Terminal.write(bytes: answer.body)
        case .table:
            guard let document = try? JSONDecoder().decode(KeysDocument.self, from: Data(answer.body)) else {
                throw CommandFailure(.failure, "the node's answer is no list of keys")
            }
            var table = TextTable(columns: [.left, .right, .right, .left])
            table.add(["KEY", "REVISION", "BYTES", "CHANGED"].map { .init($0, .heading) })
            for key in document.keys {
                table.add([.init(key.key), .init("\(key.revision)"), .init("\(key.bytes)"), .init(key.changedAt)])
            }
            Terminal.write(table.lines(coloured: Terminal.isColoured).map { $0 + "\n" }.joined())
        }
        return .success
    }

    static func get(
        _ client: ClusterClient, _ key: KeyName, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> ExitCode {
        let answer = try client.ask(.get("/v1/keys/\(key)\(consistency == .stale ? "?stale" : "")"))
        Terminal.write(bytes: answer.body)
        if let tag = answer.entityTag { Terminal.note("revision \(Terminal.printable(tag.filter { $0 != "\"" }))") }
        return .success
    }

    static func put(
        _ client: ClusterClient, _ key: KeyName, _ value: KeyValue, _ condition: KeyChange.Condition
    ) throws(CommandFailure) -> ExitCode {
        let bytes =
            switch value {
            case .text(let text): Array(text.utf8)
            case .file(let path): try File.read(path)
            }
        return try change(client, AdminCall.put("/v1/keys/\(key)", bytes), condition) {
            "\(key) is set, at revision \($0)"
        }
    }

    static func delete(
        _ client: ClusterClient, _ key: KeyName, _ condition: KeyChange.Condition
    ) throws(CommandFailure) -> ExitCode {
        try change(client, AdminCall.delete("/v1/keys/\(key)"), condition) { _ in "\(key) is deleted" }
    }

    private static func change(
        _ client: ClusterClient, _ call: AdminCall, _ condition: KeyChange.Condition, _ report: (UInt64) -> String
    ) throws(CommandFailure) -> ExitCode {
        var call = call
        switch condition {
        case .any: break
        case .absent: call.ifNoneMatch = "*"
        case .present: call.ifMatch = "*"
        case .unchangedSince(let revision): call.ifMatch = "\"\(revision)\""
        }
        let answer = try client.ask(call)
        guard let document = try? JSONDecoder().decode(KeyRevisionDocument.self, from: Data(answer.body)) else {
            throw CommandFailure(.failure, "the node's answer names no revision; see `gwnode keys list`")
        }
        Terminal.write(report(document.revision) + "\n")
        return .success
    }
}
