import FoundationEssentials
import Posix
import Raft

/// What a request to the admin API asks for.
package enum AdminRoute: Hashable, Sendable {
    case status(AdminServices.Consistency)
    case node
    case live
    case ready
    case readConfiguration(AdminServices.Consistency)
    case validate(ConfigurationUpload)
    case apply(ConfigurationUpload)
    case backends(AdminServices.Consistency)
    case setMode(BackendKey, BackendMode)
    case members(AdminServices.Consistency)
    case changeMember(MemberChange.Wish)
    case moveLeadership(to: NodeID?)

    /// Finds the route, or the answer that refuses the request. `names` are host names under which the API may be
    /// reached.
    package static func find(_ request: AdminRequest, names: Set<String>) throws(Refused) -> AdminRoute {
        if let refusal = BrowserGuard.refusal(of: request.fields, names: names) { throw refused(403, refusal) }
        switch request.path {
        case ["v1", "status"]:
            try expect(request, .get, .head)
            return .status(consistency(request))
        case ["v1", "node"]:
            try expect(request, .get, .head)
            return .node
        case ["livez"]:
            try expect(request, .get, .head)
            return .live
        case ["readyz"]:
            try expect(request, .get, .head)
            return .ready
        case ["v1", "config"]:
            try expect(request, .get, .head, .put)
            return request.method == .put ? try upload(request) : .readConfiguration(consistency(request))
        case ["v1", "backends"]:
            try expect(request, .get, .head)
            return .backends(consistency(request))
        case let path where path.count == 4 && path.starts(with: ["v1", "backends"]):
            try expect(request, .put)
            return try modeChange(request, upstream: path[2], address: path[3])
        case let path where path.first == "v1" && ["members", "leader"].contains(path.dropFirst().first):
            return try memberRoute(request)
        case _:
            throw refused(
                404,
                "there is no such resource; the API begins at /v1/status, /v1/config, /v1/backends, /v1/members")
        }
    }

    /// The answer to a request that is not served.
    package struct Refused: Error {
        package let response: AdminResponse
    }

    static func refused(_ status: UInt16, _ detail: String) -> Refused {
        Refused(response: .problem(status, detail))
    }

    static func expect(_ request: AdminRequest, _ methods: HTTPMethod...) throws(Refused) {
        if methods.contains(request.method) { return }
        let allowed = methods.map { "\($0)".uppercased() }.joined(separator: ", ")
        var response = AdminResponse.problem(405, "this resource has the methods \(allowed)")
        response.allow = allowed
        throw Refused(response: response)
    }

    static func consistency(_ request: AdminRequest) -> AdminServices.Consistency {
        request.query["stale"] == nil ? .linearizable : .stale
    }

    private static func upload(_ request: AdminRequest) throws(Refused) -> AdminRoute {
        guard let source = String(validating: request.body, as: UTF8.self) else {
            throw refused(400, "the configuration is not UTF-8 text")
        }
        let expected: Revision?
        do throws(MalformedEntityTag) { expected = try revision(ifMatch: request.fields.ifMatch) } catch {
            throw refused(400, "If-Match is not a revision as in \"3\", nor *")
        }
        let upload = ConfigurationUpload(
            source: source, name: request.query["name"] ?? "configuration", expectedRevision: expected,
            author: request.peer.ip.description)
        switch request.query["validate"] {
        case nil: return .apply(upload)
        case "only": return .validate(upload)
        case _: throw refused(400, "the parameter validate has the value only, nothing else")
        }
    }

    private struct MalformedEntityTag: Error {}

    /// RFC 9110, section 13.1.1, for the one strong entity tag that a revision is.
    private static func revision(ifMatch: String?) throws(MalformedEntityTag) -> Revision? {
        guard let ifMatch, ifMatch != "*" else { return nil }
        guard ifMatch.count > 2, ifMatch.hasPrefix("\""), ifMatch.hasSuffix("\""),
            let revision = Revision(parsing: ifMatch.dropFirst().dropLast())
        else { throw MalformedEntityTag() }
        return revision
    }

    private static func modeChange(
        _ request: AdminRequest, upstream: String, address: String
    ) throws(Refused) -> AdminRoute {
        guard let address = SocketAddress(address) else {
            throw refused(400, "\(address) is not an address as in 10.0.0.1:8080 or [fd00::1]:8080")
        }
        let modes = BackendMode.allCases.map(\.rawValue).joined(separator: ", ")
        guard let document = try? JSONDecoder().decode(BackendModeDocument.self, from: Data(request.body)),
            let mode = BackendMode(rawValue: document.mode)
        else { throw refused(400, "the body is not {\"mode\": MODE} with MODE one of \(modes)") }
        return .setMode(BackendKey(upstream: upstream, address: address), mode)
    }
}

extension Revision {
    /// Parses decimal digits, without a sign.
    package init?(parsing text: some StringProtocol) {
        guard text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = UInt64(text) else {
            return nil
        }
        self.init(number)
    }
}
