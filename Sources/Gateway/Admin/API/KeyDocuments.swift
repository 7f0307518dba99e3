import Posix

/// The answer of `GET /v1/keys`.
package struct KeysDocument: Codable, Hashable, Sendable {
    /// Of the key space: that of the last change to any key.
    package var revision: UInt64
    /// By name.
    package var keys: [Key]

    package struct Key: Codable, Hashable, Sendable {
        package var key: String
        /// Of the key's last change.
        package var revision: UInt64
        /// Of the value.
        package var bytes: Int
        /// RFC 3339, by the clock of the node that was asked for the change.
        package var changedAt: String
    }

    package init(_ listing: KeyListing) {
        revision = listing.revision.number
        keys = listing.entries.map { key, record in
            Key(
                key: key.text, revision: record.revision.number, bytes: record.value.count,
                changedAt: record.at.description)
        }
    }
}

extension AdminResponse {
    /// The bytes that are kept under a key, as they were put there.
    static func value(of key: KeyName, _ record: KeyRecord?) -> AdminResponse {
        guard let record else { return .problem(404, "there is no key \(key)") }
        var response = AdminResponse(contentType: "application/octet-stream", body: record.value)
        response.entityTag = "\"\(record.revision)\""
        return response
    }

    /// `revision` is what the change came to be, nil where there was no key to delete.
    static func changed(_ key: KeyName, _ revision: KeyRevision?, isDeletion: Bool) -> AdminResponse {
        guard let revision else { return .problem(404, "there is no key \(key)") }
        // Without the encoder, which would take longer than everything else that the node does for a change.
        let body = Array("{\"revision\": \(revision)}\n".utf8)
        var response = AdminResponse(contentType: "application/json", body: body)
        if !isDeletion { response.entityTag = "\"\(revision)\"" }
        return response
    }
}

/// The answer of `PUT` and `DELETE /v1/keys/{key}`.
package struct KeyRevisionDocument: Codable, Hashable, Sendable {
    package var revision: UInt64
}
