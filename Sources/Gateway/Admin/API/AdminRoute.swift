import FoundationEssentials
import Posix
import Raft

/// What a request to the admin API asks for.
package enum AdminRoute: Hashable, Sendable {
    case status(AdminServices.Consistency)
    case node
    case live
    case ready
    case metrics
    /// The one in force unless a revision is given.
    case readConfiguration(Revision?, AdminServices.Consistency)
    case history(AdminServices.Consistency)
    /// From the one before to the one in force unless revisions are given.
    case difference(from: Revision?, to: Revision?, AdminServices.Consistency)
    case rollback(to: Revision?, expected: Revision?)
    case validate(ConfigurationUpload)
    case apply(ConfigurationUpload)
    case backends(AdminServices.Consistency)
    case setMode(BackendKey, BackendMode)
    /// Those with a higher number.
    case events(after: UInt64, AdminServices.Consistency)
    case members(AdminServices.Consistency)
    case changeMember(MemberChange.Wish)
    case moveLeadership(to: NodeID?)
    case readKey(KeyName, AdminServices.Consistency)
    case listKeys(prefix: String, AdminServices.Consistency)
    case changeKey(KeyName, value: [UInt8]?, KeyChange.Condition)

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
        case ["metrics"]:
            try expect(request, .get, .head)
            return .metrics
        case ["v1", "events"]:
            try expect(request, .get, .head)
            return .events(after: try sequence(request), consistency(request))
        case let path where path.starts(with: ["v1", "config"]):
            return try configurationRoute(request)
        case ["v1", "backends"]:
            try expect(request, .get, .head)
            return .backends(consistency(request))
        case let path where path.count == 4 && path.starts(with: ["v1", "backends"]):
            try expect(request, .put)
            return try modeChange(request, upstream: path[2], address: path[3])
        case let path where path.first == "v1" && ["members", "leader"].contains(path.dropFirst().first):
            return try memberRoute(request)
        case let path where path.starts(with: ["v1", "keys"]):
            return try keyRoute(request)
        case _:
            throw refused(
                404,
                "there is no such resource; the API begins at /v1/status, /v1/config, /v1/backends, /v1/members, "
                    + "/v1/events, /v1/keys")
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

    private static func sequence(_ request: AdminRequest) throws(Refused) -> UInt64 {
        guard let text = request.query["after"] else { return 0 }
        guard let revision = Revision(parsing: text) else {
            throw refused(400, "the parameter after is not the number of an event")
        }
        return revision.number
    }

    /// RFC 9110, section 13.1.1, for the one strong entity tag that a revision is.
    static func number(ifMatch tag: String) throws(Refused) -> UInt64 {
        guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\""),
            let revision = Revision(parsing: tag.dropFirst().dropLast())
        else { throw refused(400, "If-Match is not a revision as in \"3\", nor *") }
        return revision.number
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
