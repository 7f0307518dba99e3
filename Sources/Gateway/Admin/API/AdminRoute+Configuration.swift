import FoundationEssentials
import Posix

/// The routes of the gateway configuration: `/v1/config` and what is below it.
extension AdminRoute {
    static func configurationRoute(_ request: AdminRequest) throws(Refused) -> AdminRoute {
        switch request.path.dropFirst(2) {
        case []:
            try expect(request, .get, .head, .put)
            if request.method == .put { return try upload(request) }
            return .readConfiguration(try revision(in: request, "revision"), consistency(request))
        case ["history"]:
            try expect(request, .get, .head)
            return .history(consistency(request))
        case ["diff"]:
            try expect(request, .get, .head)
            let (from, to) = (try revision(in: request, "from"), try revision(in: request, "to"))
            return .difference(from: from, to: to, consistency(request))
        case ["rollback"]:
            try expect(request, .post)
            return .rollback(to: try wantedRevision(request), expected: try expectedRevision(request))
        case _:
            throw refused(
                404,
                "there is no such resource; there are /v1/config, /v1/config/history, /v1/config/diff, /v1/config/rollback"
            )
        }
    }

    private static func upload(_ request: AdminRequest) throws(Refused) -> AdminRoute {
        guard let source = String(validating: request.body, as: UTF8.self) else {
            throw refused(400, "the configuration is not UTF-8 text")
        }
        let upload = ConfigurationUpload(
            source: source, name: request.query["name"] ?? "configuration",
            expectedRevision: try expectedRevision(request), author: request.peer.ip.description)
        switch request.query["validate"] {
        case nil: return .apply(upload)
        case "only": return .validate(upload)
        case _: throw refused(400, "the parameter validate has the value only, nothing else")
        }
    }

    private static func wantedRevision(_ request: AdminRequest) throws(Refused) -> Revision? {
        if request.body.isEmpty { return nil }
        guard let document = try? JSONDecoder().decode(RollbackDocument.self, from: Data(request.body)) else {
            throw refused(400, "the body is not {\"revision\": N}, or empty for the revision before that in force")
        }
        return document.revision.map { Revision($0) }
    }

    private static func revision(in request: AdminRequest, _ parameter: String) throws(Refused) -> Revision? {
        guard let text = request.query[parameter] else { return nil }
        guard let revision = Revision(parsing: text) else {
            throw refused(400, "the parameter \(parameter) is not a revision, as /v1/config/history lists them")
        }
        return revision
    }

    private static func expectedRevision(_ request: AdminRequest) throws(Refused) -> Revision? {
        guard let tag = request.fields.ifMatch, tag != "*" else { return nil }
        return Revision(try number(ifMatch: tag))
    }
}
