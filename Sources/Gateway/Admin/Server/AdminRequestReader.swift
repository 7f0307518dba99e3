import Posix

/// Cuts one connection's bytes into requests, within `AdminLimits`.
package struct AdminRequestReader {
    package enum Result: Hashable, Sendable {
        case needsMore
        /// The client waits for "100 Continue" before it sends the body; told once a request.
        case wantsContinue
        case request(AdminRequest, isPersistent: Bool)
        /// To be answered with this, and the connection closed.
        case invalid(AdminResponse)
    }

    /// A request whose head is read and whose body is not.
    private struct Pending {
        var request: AdminRequest
        var isPersistent: Bool
        var expectsContinue: Bool
        var bodyBytes: Int
    }

    /// For requests whose head is yet to come.
    var author: String
    private var input: [UInt8] = []
    private var progress = ParseProgress()
    private var pending: Pending?

    package init(author: String) { self.author = author }

    /// Whether a part of a request has arrived.
    package var isInsideRequest: Bool { pending != nil || !input.isEmpty }
    package var isInsideBody: Bool { pending != nil }

    package mutating func append(_ bytes: some Sequence<UInt8>) { input.append(contentsOf: bytes) }

    /// The next thing that the bytes so far amount to. After `invalid` there is nothing more to read.
    package mutating func next(_ fields: borrowing FieldTable) -> Result {
        if pending == nil, let answer = readHead(fields) { return answer }
        return readBody()
    }

    /// Nil when the head is read.
    private mutating func readHead(_ fields: borrowing FieldTable) -> Result? {
        switch input.withUnsafeMutableBytes({ RequestParser.parse($0, fields: fields, progress: &progress) }) {
        case .incomplete:
            return input.count < AdminLimits.headBytes ? .needsMore : .invalid(Self.headTooLarge)
        case .invalid(let fault):
            return .invalid(Self.answer(to: fault))
        case .complete(let head):
            progress = ParseProgress()
            guard head.byteCount <= AdminLimits.headBytes else { return .invalid(Self.headTooLarge) }
            if let refusal = begin(head, fields) { return .invalid(refusal) }
            input.removeFirst(head.byteCount)
            return nil
        }
    }

    /// The answer that refuses the head, nil when it is fine.
    private mutating func begin(_ head: RequestHead, _ fields: borrowing FieldTable) -> AdminResponse? {
        let bodyBytes: Int
        switch head.traits.framing {
        case .none: bodyBytes = 0
        case .length(let count):
            guard count <= UInt64(AdminLimits.bodyBytes) else {
                return .problem(413, "the body is too large", right: "at most \(AdminLimits.bodyBytes) bytes are read")
            }
            bodyBytes = Int(count)
        case .chunked, .untilClose: return .problem(411, "the body has no Content-Length", right: "say how long it is")
        }
        guard let path = AdminRequest.segments(text(head.path)), let query = AdminRequest.query(text(head.query)) else {
            return .problem(400, "the target has a broken percent-encoding", right: "encode UTF-8 as in %C3%BC")
        }
        let request = AdminRequest(
            method: head.traits.method, path: path, query: query, fields: apiFields(head, fields), author: author)
        pending = Pending(
            request: request, isPersistent: head.traits.isPersistent,
            expectsContinue: head.traits.expectsContinue, bodyBytes: bodyBytes)
        return nil
    }

    private mutating func readBody() -> Result {
        guard var pending else { return .needsMore }
        guard input.count >= pending.bodyBytes else {
            if !pending.expectsContinue || !input.isEmpty { return .needsMore }
            self.pending?.expectsContinue = false
            return .wantsContinue
        }
        self.pending = nil
        pending.request.body = Array(input.prefix(pending.bodyBytes))
        input.removeFirst(pending.bodyBytes)
        return .request(pending.request, isPersistent: pending.isPersistent)
    }

    private func apiFields(_ head: RequestHead, _ table: borrowing FieldTable) -> AdminRequest.Fields {
        var fields = AdminRequest.Fields(host: head.authority.isEmpty ? nil : text(head.authority))
        for index in 0..<head.fieldCount {
            let field = table[index]
            switch text(field.name).lowercased() {
            case "authorization": fields.authorization = text(field.value)
            case "origin": fields.origin = text(field.value)
            case "sec-fetch-site": fields.fetchSite = text(field.value)
            case "if-match": fields.ifMatch = text(field.value)
            case "if-none-match": fields.ifNoneMatch = text(field.value)
            case "last-event-id": fields.lastEventID = text(field.value)
            case _: break
            }
        }
        return fields
    }

    private func text(_ slice: ByteSlice) -> String { String(decoding: input[slice.range], as: UTF8.self) }

    /// TRACE and CONNECT, which the parser refuses, are known methods that no resource has (RFC 9110, section 15.5.6).
    private static func answer(to fault: HTTPFault) -> AdminResponse {
        guard fault == .unsupportedMethod else { return .problem(fault.status, "\(fault.reason) (\(fault.section))") }
        var response = AdminResponse.problem(405, "no resource has this method", right: "see /v1/openapi.json")
        response.allow = "GET, HEAD, PUT, POST, DELETE"
        return response
    }

    private static var headTooLarge: AdminResponse {
        .problem(431, "the head is too large", right: "at most \(AdminLimits.headBytes) bytes are read")
    }
}
