import Gateway
import Posix
import Testing

/// Every vector of `Tests/Corpus/http`: parsing, body framing and what is forwarded.
@Suite struct VectorTests {
    @Test(arguments: try VectorFile.load("requests.vectors"))
    func request(vector: MessageVector) throws {
        let message = Message(vector.message)
        let outcome = message.parseRequest()
        for expectation in vector.expectations {
            switch (expectation, outcome) {
            case (.accept(let wanted), .complete(let head)):
                for (key, value) in wanted { #expect(message.property(key, of: head) == value, "\(key)") }
            case (.refuse(let status, let fault), .invalid(let found)):
                #expect("\(found)" == fault)
                #expect(found.status == status)
            case (.incomplete, .incomplete):
                break
            case (.data, .complete(let head)), (.rest, .complete(let head)), (.refuseBody, .complete(let head)):
                check(expectation, message.body(framing: head.traits.framing, from: head.byteCount))
            case (.forwards(let line), .complete(let head)):
                let forwarded = try #require(message.rewritten(head, .example))
                #expect(forwarded.lines.contains(line), "in \(forwarded)")
            case (.omits(let name), .complete(let head)):
                let forwarded = try #require(message.rewritten(head, .example))
                #expect(!forwarded.hasField(name), "in \(forwarded)")
            default:
                Issue.record("\(expectation) but the outcome is \(outcome)")
            }
        }
        #expect(!vector.expectations.isEmpty)
    }

    @Test(arguments: try VectorFile.load("responses.vectors"))
    func response(vector: MessageVector) throws {
        let message = Message(vector.message)
        let outcome = message.parseResponse(to: try #require(HTTPMethod(named: vector.method)))
        for expectation in vector.expectations {
            switch (expectation, outcome) {
            case (.accept(let wanted), .complete(let head)):
                for (key, value) in wanted { #expect(message.property(key, of: head) == value, "\(key)") }
            case (.refuse(_, let fault), .invalid(let found)):
                #expect("\(found)" == fault)
            case (.incomplete, .incomplete):
                break
            case (.data, .complete(let head)), (.rest, .complete(let head)), (.refuseBody, .complete(let head)):
                check(expectation, message.body(framing: head.traits.framing, from: head.byteCount))
            case (.forwards(let line), .complete(let head)):
                let forwarded = try #require(message.rewritten(head, terms(head)))
                #expect(forwarded.lines.contains(line), "in \(forwarded)")
            case (.omits(let name), .complete(let head)):
                let forwarded = try #require(message.rewritten(head, terms(head)))
                #expect(!forwarded.hasField(name), "in \(forwarded)")
            default:
                Issue.record("\(expectation) but the outcome is \(outcome)")
            }
        }
        #expect(!vector.expectations.isEmpty)
    }

    /// What the exchange would decide for an HTTP/1.1 client with a persistent connection.
    private func terms(_ head: ResponseHead) -> ReplyTerms {
        ReplyTerms(
            framing: head.traits.framing == .untilClose ? .chunked : head.traits.framing, announcesClose: false,
            clientVersion: .http11, date: HTTPDate(WallTime(millisecondsSince1970: 0)))
    }

    private func check(_ expectation: MessageVector.Expectation, _ body: Message.Body) {
        switch expectation {
        case .data(let data):
            #expect(String(decoding: body.data, as: UTF8.self) == String(decoding: data, as: UTF8.self))
            #expect(body.fault == nil)
        case .rest(let rest):
            #expect(String(decoding: body.rest, as: UTF8.self) == String(decoding: rest, as: UTF8.self))
            #expect(body.isComplete)
        case .refuseBody(let status, let fault):
            #expect(body.fault.map { "\($0)" } == fault)
            #expect(body.fault?.status == status)
        case .accept, .refuse, .incomplete, .forwards, .omits:
            Issue.record("\(expectation) is not about the body")
        }
    }
}

extension String {
    var lines: [String] { split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init) }

    func hasField(_ name: String) -> Bool {
        lines.contains { $0.lowercased().hasPrefix("\(name.lowercased()):") }
    }
}

extension HTTPMethod {
    init?(named name: String) {
        guard let method = Self.allCases.first(where: { "\($0)" == name.lowercased() }) else { return nil }
        self = method
    }
}

extension Message {
    struct Body {
        var data: [UInt8] = []
        var rest: [UInt8] = []
        var isComplete = false
        var fault: HTTPFault?
    }

    /// Decodes a copy of the body in one piece.
    func body(framing: BodyFraming, from start: Int) -> Body {
        var decoder = BodyDecoder(framing)
        let input = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count - start, alignment: 1)
        defer { input.deallocate() }
        input.copyBytes(from: bytes[start...])
        do throws(HTTPFault) {
            let progress = try decoder.decode(input)
            return Body(
                data: Array(input[progress.data]), rest: Array(input[progress.consumed...]),
                isComplete: progress.isComplete)
        } catch {
            return Body(fault: error)
        }
    }

    func property(_ key: String, of head: RequestHead) -> String? {
        switch key {
        case "method": text(head.methodName)
        case "path": text(head.path)
        case "query": head.hasQuery ? text(head.query) : "none"
        case "host": text(head.host)
        case "authority": text(head.authority)
        case "body": name(head.traits.framing)
        case "persist": yesOrNo(head.traits.isPersistent)
        case "upgrade": yesOrNo(head.traits.wantsUpgrade)
        case "expects": yesOrNo(head.traits.expectsContinue)
        case "asterisk": yesOrNo(head.isAsterisk)
        default: nil
        }
    }

    func property(_ key: String, of head: ResponseHead) -> String? {
        switch key {
        case "status": "\(head.traits.status)"
        case "reason": text(head.reason)
        case "body": name(head.traits.framing)
        case "length": head.contentLength.map { "\($0)" } ?? "none"
        case "persist": yesOrNo(head.traits.isPersistent)
        default: nil
        }
    }

    private func name(_ framing: BodyFraming) -> String {
        switch framing {
        case .none: "none"
        case .length(let count): "\(count)"
        case .chunked: "chunked"
        case .untilClose: "close"
        }
    }

    private func yesOrNo(_ value: Bool) -> String { value ? "yes" : "no" }
}
