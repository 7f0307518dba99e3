/// The routes of keys: `/v1/keys?prefix=` lists, `/v1/keys/{key}` is one.
extension AdminRoute {
    static func keyRoute(_ request: AdminRequest) throws(Refused) -> AdminRoute {
        guard request.path.count > 2 else {
            try expect(request, .get, .head)
            let prefix = request.query["prefix"] ?? ""
            guard KeyName.isPrefix(prefix) else { throw refused(400, "prefix has to be the beginning of a key") }
            return .listKeys(prefix: prefix, consistency(request))
        }
        try expect(request, .get, .head, .put, .delete)
        guard let key = KeyName(request.path.dropFirst(2).joined(separator: "/")) else {
            throw refused(400, "a key is \(KeyName.rule)")
        }
        switch request.method {
        case .put:
            guard request.body.count <= KeySpace.Limit.valueBytes else {
                throw refused(413, "a value has at most \(KeySpace.Limit.valueBytes) bytes")
            }
            return .changeKey(key, value: request.body, try condition(request.fields))
        case .delete: return .changeKey(key, value: nil, try condition(request.fields))
        case _: return .readKey(key, consistency(request))
        }
    }

    /// RFC 9110, sections 13.1.1 and 13.1.2: `If-Match: "N"` or `*`, `If-None-Match: *`.
    private static func condition(_ fields: AdminRequest.Fields) throws(Refused) -> KeyChange.Condition {
        switch (fields.ifMatch, fields.ifNoneMatch) {
        case (nil, nil): return .any
        case ("*", nil): return .present
        case (nil, "*"): return .absent
        case (let tag?, nil): return .unchangedSince(KeyRevision(try number(ifMatch: tag)))
        case (nil, _): throw refused(400, "If-None-Match is not *")
        case (_, _): throw refused(400, "If-Match and If-None-Match exclude each other; send one")
        }
    }
}
