import Gateway
import Posix
import Testing

/// What goes out on the other side for a message that came in.
@Suite struct ForwardingTests {
    private let context = ForwardingContext.example

    @Test func requestLosesTheFieldsOfItsHopAndGetsOurs() throws {
        let message = """
            GET /a/../b?x=1 HTTP/1.1\r
            Host: example.com\r
            User-Agent: test\r
            Connection: keep-alive, X-Secret\r
            X-Secret: 1\r
            X-Forwarded-For: 198.51.100.1\r
            X-Forwarded-Proto: https\r
            TE: trailers\r
            Accept: */*\r
            \r\n
            """
        #expect(
            try forwarded(request: message, context) == """
                GET /b?x=1 HTTP/1.1\r
                Host: example.com\r
                User-Agent: test\r
                Accept: */*\r
                X-Forwarded-For: 192.0.2.7\r
                X-Forwarded-Proto: http\r
                X-Forwarded-Host: example.com\r
                Via: 1.1 gwnode\r
                \r\n
                """)
    }

    @Test func requestOfHTTP10WithoutHostNamesTheBackend() throws {
        #expect(
            try forwarded(request: "GET / HTTP/1.0\r\n\r\n", context) == """
                GET / HTTP/1.1\r
                Host: 127.0.0.1:9000\r
                X-Forwarded-For: 192.0.2.7\r
                X-Forwarded-Proto: http\r
                Via: 1.0 gwnode\r
                \r\n
                """)
    }

    @Test func absoluteTargetReplacesHost() throws {
        let message = "POST http://b.example:81?q HTTP/1.1\r\nHost: a.example\r\nContent-Length: 007\r\n\r\n"
        #expect(
            try forwarded(request: message, context) == """
                POST /?q HTTP/1.1\r
                Host: b.example:81\r
                X-Forwarded-For: 192.0.2.7\r
                X-Forwarded-Proto: http\r
                X-Forwarded-Host: b.example:81\r
                Via: 1.1 gwnode\r
                Content-Length: 7\r
                \r\n
                """)
    }

    @Test func upgradeIsAskedForOnTheNextHop() throws {
        let message = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-X: 1\r\n\r\n"
        #expect(
            try forwarded(request: message, context) == """
                GET / HTTP/1.1\r
                Host: a\r
                Sec-X: 1\r
                X-Forwarded-For: 192.0.2.7\r
                X-Forwarded-Proto: http\r
                X-Forwarded-Host: a\r
                Via: 1.1 gwnode\r
                Connection: upgrade\r
                Upgrade: websocket\r
                \r\n
                """)
    }

    @Test func responseOfUnknownLengthIsChunkedForTheClient() throws {
        let message = "HTTP/1.0 200 OK\r\nServer: x\r\nConnection: close, X-A\r\nX-A: 1\r\nKeep-Alive: 5\r\n\r\n"
        let terms = ReplyTerms(
            framing: .chunked, announcesClose: false, clientVersion: .http11,
            date: HTTPDate(WallTime(millisecondsSince1970: 784_111_777_000)))
        #expect(
            try forwarded(response: message, terms) == """
                HTTP/1.1 200 OK\r
                Server: x\r
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r
                Via: 1.0 gwnode\r
                Transfer-Encoding: chunked\r
                \r\n
                """)
    }

    @Test(arguments: ["::", "::1", "2001:db8::1", "2001:db8:0:1:1:1:1:1", "fe80::1:0:0:2", "1:2:3:4:5:6:7:8", "1::"])
    func clientAddressIsWrittenAsRFC5952HasIt(text: String) throws {
        var context = context
        context.client = try #require(IPAddress(text))
        let result = try forwarded(request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", context)
        #expect(result.contains("X-Forwarded-For: \(text)\r\n"))
    }

    @Test func tooSmallABufferIsSaid() throws {
        let message = Message("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = try message.requestHead()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 40, alignment: 1)
        defer { buffer.deallocate() }
        #expect(
            RequestHeadWriter.write(
                head, of: UnsafeRawBufferPointer(message.bytes), fields: message.fields, context: context, into: buffer)
                == nil)
    }

    @Test func ownResponseSaysWhy() {
        let terms = ReplyTerms(
            framing: .none, announcesClose: true, clientVersion: .http11,
            date: HTTPDate(WallTime(millisecondsSince1970: 784_111_777_000)))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: OwnResponse.maximumBytes, alignment: 1)
        defer { buffer.deallocate() }
        let detail = Array("upstream web".utf8)
        let count = detail.withUnsafeBytes {
            OwnResponse.write(
                status: 503, reason: ExchangeAnswer.noBackend.reason, detail: $0, isHead: false, terms: terms,
                into: buffer)
        }
        #expect(
            String(decoding: buffer.prefix(count), as: UTF8.self) == """
                HTTP/1.1 503 Service Unavailable\r
                Content-Type: text/plain; charset=utf-8\r
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r
                Connection: close\r
                Content-Length: 63\r
                \r
                503 Service Unavailable: no backend is available: upstream web\n
                """)
    }

    private func forwarded(request text: String, _ context: ForwardingContext) throws -> String {
        let message = Message(text)
        let head = try message.requestHead()
        return try #require(message.rewritten(head, context))
    }

    private func forwarded(response text: String, _ terms: ReplyTerms) throws -> String {
        let message = Message(text)
        let head = try message.responseHead(to: .get)
        return try #require(message.rewritten(head, terms))
    }
}
