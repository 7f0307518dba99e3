/// What concerns keys.
extension AdminRoute {
    static func prefix(_ request: AdminRequest) throws(Refused) -> String {
        let prefix = request.query["prefix"] ?? ""
        guard KeyName.isPrefix(prefix) else {
            throw refused(400, "no key begins with that prefix", "a key is \(KeyName.rule)")
        }
        return prefix
    }

    static func keyChange(_ request: AdminRequest, _ key: KeyName) throws(Refused) -> AdminRoute {
        guard request.body.count <= KeySpace.Limit.valueBytes else {
            throw refused(413, "the value is too large", "a value has at most \(KeySpace.Limit.valueBytes) bytes")
        }
        return .changeKey(key, value: request.body, try condition(request.fields))
    }

    /// RFC 9110, sections 13.1.1 and 13.1.2: `If-Match: "N"` or `*`, `If-None-Match: *`.
    static func condition(_ fields: AdminRequest.Fields) throws(Refused) -> KeyChange.Condition {
        switch (fields.ifMatch, fields.ifNoneMatch) {
        case (nil, nil): return .any
        case ("*", nil): return .present
        case (nil, "*"): return .absent
        case (let tag?, nil): return .unchangedSince(KeyRevision(try number(ifMatch: tag)))
        case (nil, _): throw refused(400, "If-None-Match is not understood", "it can only be *")
        case (_, _): throw refused(400, "If-Match and If-None-Match exclude each other", "send one of them")
        }
    }
}

extension AdminRoute.PathParameters {
    func key() throws(AdminRoute.Refused) -> KeyName {
        guard let key = KeyName(self["key"]) else {
            throw AdminRoute.refused(400, "the path names no key", "a key is \(KeyName.rule)")
        }
        return key
    }
}
