import FoundationEssentials

/// An answer of the admin API.
package struct AdminResponse: Hashable, Sendable {
    package var status: UInt16
    package var contentType: String
    package var body: [UInt8]
    /// The revision of a configuration or a key, as entity tag.
    package var entityTag: String?
    /// The methods that the resource has, for 405.
    package var allow: String?

    package init(status: UInt16 = 200, contentType: String, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// JSON with sorted keys, so that equal documents are equal texts.
    package static func json(_ document: some Encodable, status: UInt16 = 200) -> AdminResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(document) else {
            preconditionFailure("documents hold no number that JSON can not express")
        }
        return AdminResponse(status: status, contentType: "application/json", body: Array(data) + [0x0a])
    }

    package static func text(_ text: String, status: UInt16 = 200) -> AdminResponse {
        AdminResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    /// An error for people and programs (RFC 9457).
    package static func problem(
        _ status: UInt16, _ detail: String, problems: [String]? = nil, isRetryable: Bool = false
    ) -> AdminResponse {
        let document = ProblemDetails(
            type: "about:blank", title: reasonPhrase(status), status: status, detail: detail, problems: problems,
            retryable: isRetryable ? true : nil)
        var response = json(document, status: status)
        response.contentType = "application/problem+json"
        return response
    }

    /// The standard phrase for a status that the admin API uses (RFC 9110, section 15).
    package static func reasonPhrase(_ status: UInt16) -> String {
        switch status {
        case 200: "OK"
        case 202: "Accepted"
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case _: "Unknown"
        }
    }
}

/// The body of an error answer (RFC 9457, section 3), with two members of our own.
package struct ProblemDetails: Codable, Hashable, Sendable {
    package var type: String
    package var title: String
    package var status: UInt16
    package var detail: String
    /// What a validator found, one line each.
    package var problems: [String]?
    /// Set where nothing was changed and the same request may succeed later.
    package var retryable: Bool?
}
