import FoundationEssentials
import Gateway

/// `gwnode config show` and `gwnode config apply`.
enum ConfigurationCommands {
    static func show(
        _ client: ClusterClient, _ consistency: AdminServices.Consistency
    ) throws(CommandFailure) -> ExitCode {
        let answer = try client.ask(.get(consistency == .stale ? "/v1/config?stale" : "/v1/config"))
        Terminal.write(String(decoding: answer.body, as: UTF8.self))
        if let tag = answer.entityTag { Terminal.note("revision \(Terminal.printable(tag.filter { $0 != "\"" }))") }
        return .success
    }

    static func apply(
        _ client: ClusterClient, file: String, ifRevision: Revision?
    ) throws(CommandFailure) -> ExitCode {
        let source = try File.read(file)
        let target = "/v1/config?name=\(PercentEncoding.encode(file))"
        let answer = try client.ask(.put(target, source, ifMatch: ifRevision.map { "\"\($0)\"" }))
        guard let document = try? JSONDecoder().decode(RevisionDocument.self, from: Data(answer.body)),
            let revision = document.revision
        else { throw CommandFailure(.failure, "the node's answer names no revision; see `gwnode status`") }
        Terminal.write("revision \(revision) is in force\n")
        return .success
    }
}
