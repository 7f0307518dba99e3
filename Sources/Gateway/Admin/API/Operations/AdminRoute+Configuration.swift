import Posix

/// What concerns the gateway configuration.
extension AdminRoute {
    static func upload(_ request: AdminRequest) throws(Refused) -> AdminRoute {
        guard let source = String(validating: request.body, as: UTF8.self) else {
            throw refused(400, "the configuration is not UTF-8", "send it as UTF-8 text")
        }
        let upload = ConfigurationUpload(
            source: source, name: request.query["name"] ?? "configuration",
            expectedRevision: try expectedRevision(request), author: request.author)
        switch request.query["validate"] {
        case nil: return .apply(upload)
        case "only": return .validate(upload)
        case _: throw refused(400, "the parameter validate is not understood", "leave it out, or say only")
        }
    }

    static func wantedRevision(_ request: AdminRequest) throws(Refused) -> Revision? {
        if request.body.isEmpty { return nil }
        let form = "{\"revision\": 3}, or nothing for the revision before that in force"
        return try document(RollbackDocument.self, in: request, form: form).revision.map { Revision($0) }
    }

    static func revision(in request: AdminRequest, _ parameter: String) throws(Refused) -> Revision? {
        guard let text = request.query[parameter] else { return nil }
        guard let revision = Revision(parsing: text) else {
            throw refused(400, "the parameter \(parameter) is no revision", "/v1/config/history lists what there is")
        }
        return revision
    }

    static func expectedRevision(_ request: AdminRequest) throws(Refused) -> Revision? {
        guard let tag = request.fields.ifMatch, tag != "*" else { return nil }
        return Revision(try number(ifMatch: tag))
    }
}
