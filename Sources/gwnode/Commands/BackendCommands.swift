import FoundationEssentials
import Gateway
import Posix

/// `gwnode backend list`, `add`, `weight`, `remove`, and the modes.
enum BackendCommands {
    static func list(_ client: ClusterClient, _ format: OutputFormat) throws(CommandFailure) -> ExitCode {
        let upstreams = try client.status().upstreams
        switch format {
        case .json:
            let document = BackendsDocument(upstreams: upstreams)
            Terminal.write(String(decoding: AdminResponse.json(document).body, as: UTF8.self))
        case .table:
            let lines = StatusReport.backends(upstreams).lines(coloured: Terminal.isColoured)
            Terminal.write(lines.map { $0 + "\n" }.joined())
        }
        return .success
    }

    static func setMode(
        _ client: ClusterClient, _ mode: BackendMode, upstream: String?, _ address: SocketAddress
    ) throws(CommandFailure) -> ExitCode {
        let upstreams = if let upstream { [upstream] } else { try upstreamNames(with: address, client) }
        guard let body = try? JSONEncoder().encode(BackendModeDocument(mode: mode)) else {
            preconditionFailure("a document of one text is always encodable")
        }
        for name in upstreams {
            let backend = "\(PercentEncoding.encode(name))/\(PercentEncoding.encode(address.description))"
            _ = try client.ask(.put("/v1/backends/\(backend)", Array(body)))
            Terminal.write("\(Terminal.printable(name)) \(address) is \(mode.rawValue)\n")
        }
        return .success
    }

    static func put(
        _ client: ClusterClient, _ backend: BackendKey, weight: Int?, mustExist: Bool, ifRevision: Revision?
    ) throws(CommandFailure) -> ExitCode {
        if mustExist { try find(backend, client) }
        let body = MemberCommands.encoded(BackendWeightDocument(weight: weight))
        return try edit(client, .put(target(backend), body, ifMatch: ifRevision.map { "\"\($0)\"" })) {
            "\(backend) is in revision \($0)\(weight.map { ", with weight \($0)" } ?? "")"
        }
    }

    static func remove(
        _ client: ClusterClient, _ backend: BackendKey, ifRevision: Revision?
    ) throws(CommandFailure) -> ExitCode {
        var call = AdminCall.delete(target(backend))
        call.ifMatch = ifRevision.map { "\"\($0)\"" }
        return try edit(client, call) { "\(backend) is not in revision \($0) any more" }
    }

    static func register(
        _ client: ClusterClient, _ key: RegistrationKey, _ registration: Registration
    ) throws(CommandFailure) -> ExitCode {
        let body = MemberCommands.encoded(RegistrationDocument(registration))
        let answer = try client.ask(for: RegisteredDocument.self, .put(target(key), body))
        let done = answer.renewed ? "renewed" : "registered"
        let time = "\(answer.ttlSeconds) s"
        Terminal.write(Terminal.printable("\(key) at \(answer.address) is \(done) for \(time)") + "\n")
        return .success
    }

    static func deregister(_ client: ClusterClient, _ key: RegistrationKey) throws(CommandFailure) -> ExitCode {
        _ = try client.ask(.delete(target(key)))
        Terminal.write(Terminal.printable("\(key) is taken off") + "\n")
        return .success
    }

    private static func target(_ key: RegistrationKey) -> String {
        "/v1/upstreams/\(PercentEncoding.encode(key.upstream))/registrations/\(PercentEncoding.encode(key.id))"
    }

    private static func edit(
        _ client: ClusterClient, _ call: AdminCall, _ report: (UInt64) -> String
    ) throws(CommandFailure) -> ExitCode {
        guard let revision = try client.ask(for: RevisionDocument.self, call).revision else {
            throw CommandFailure(.failure, "the node's answer names no revision; see `gwnode status`")
        }
        Terminal.write(Terminal.printable(report(revision)) + "\n")
        return .success
    }

    private static func target(_ backend: BackendKey) -> String {
        "/v1/upstreams/\(PercentEncoding.encode(backend.upstream))/backends/"
            + PercentEncoding.encode(backend.address.description)
    }

    private static func find(_ backend: BackendKey, _ client: ClusterClient) throws(CommandFailure) {
        let upstreams = try client.status().upstreams
        guard let upstream = upstreams.first(where: { $0.name == backend.upstream }) else {
            let advice = Suggestion.text(for: backend.upstream, among: upstreams.map(\.name))
            throw CommandFailure(.failure, "there is no upstream \(backend.upstream); \(advice)")
        }
        let known = upstream.backends.map(\.address)
        if known.contains(backend.address.description) { return }
        let advice = Suggestion.text(for: backend.address.description, among: known)
        throw CommandFailure(.failure, "upstream \(backend.upstream) has no backend \(backend.address); \(advice)")
    }

    private static func upstreamNames(
        with address: SocketAddress, _ client: ClusterClient
    ) throws(CommandFailure) -> [String] {
        let upstreams = try client.status().upstreams
        let names =
            upstreams
            .filter { $0.backends.contains { $0.address == address.description } }.map(\.name)
        if names.isEmpty {
            let known = Set(upstreams.flatMap(\.backends).map(\.address)).sorted()
            let advice = Suggestion.text(for: address.description, among: known)
            throw CommandFailure(.failure, "no upstream has a backend \(address); \(advice)")
        }
        return names
    }
}
