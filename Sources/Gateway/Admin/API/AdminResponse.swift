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
    /// Set when the answer has no end: what goes on after `body`.
    package var stream: LiveSubscription?
    /// What the page in the body may load and run, for `Content-Security-Policy`.
    package var contentPolicy: String?
    /// How to authenticate, for 401.
    package var challenge: String?
    /// What `body` says, where it is a problem.
    private var problem: ProblemDetails?

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

    /// The server goes on with messages for a watcher.
    package static func stream(_ subscription: LiveSubscription) -> AdminResponse {
        var response = AdminResponse(contentType: "text/event-stream", body: [])
        response.stream = subscription
        return response
    }

    package static func text(_ text: String, status: UInt16 = 200) -> AdminResponse {
        AdminResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    /// A refusal for people and programs (RFC 9457): what is wrong, and what would be right.
    package static func problem(
        _ status: UInt16, _ wrong: String, right: String? = nil, problems: [String]? = nil, isRetryable: Bool = false
    ) -> AdminResponse {
        AdminResponse(
            problem: ProblemDetails(
                type: "about:blank", title: reasonPhrase(status), status: status, detail: wrong, right: right,
                instance: nil, problems: problems, retryable: isRetryable ? true : nil))
    }

    private init(problem: ProblemDetails) {
        self = .json(problem, status: problem.status)
        contentType = "application/problem+json"
        self.problem = problem
    }

    /// A problem says which request it is about.
    func about(_ path: [String]) -> AdminResponse {
        guard var problem else { return self }
        problem.instance = "/" + path.map(PercentEncoding.encode).joined(separator: "/")
        var response = AdminResponse(problem: problem)
        response.allow = allow
        response.challenge = challenge
        return response
    }

    /// The standard phrase for a status that the admin API uses (RFC 9110, section 15).
    package static func reasonPhrase(_ status: UInt16) -> String {
        switch status {
        case 200: "OK"
        case 202: "Accepted"
        case 400: "Bad Request"
        case 401: "Unauthorized"
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

/// The body of an error answer (RFC 9457, section 3), with members of our own.
package struct ProblemDetails: Codable, Hashable, Sendable {
    package var type: String
    package var title: String
    package var status: UInt16
    /// What is wrong.
    package var detail: String
    /// What would be right.
    package var right: String?
    /// The path that was asked for.
    package var instance: String?
    /// What a validator found, one line each.
    package var problems: [String]?
    /// Set where nothing was changed and the same request may succeed later.
    package var retryable: Bool?
}

extension ProblemDetails {
    /// For people, in one line.
    package var line: String { right.map { "\(detail); \($0)" } ?? detail }
}
