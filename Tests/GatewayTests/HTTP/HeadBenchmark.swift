import Gateway
import Glibc
import Posix
import Testing

/// Costs of one head, for `GWNODE_BENCHMARK=1 swift test -c release --filter HeadBenchmark`.
@Suite(.enabled(if: getenv("GWNODE_BENCHMARK") != nil))
struct HeadBenchmark {
    @Test func browserRequest() throws {
        let message = Message(Self.browserHead)
        let parsed = Self.nanosecondsEach { _ = message.parseRequest() }
        let head = try message.requestHead()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 1)
        defer { buffer.deallocate() }
        let source = UnsafeRawBufferPointer(message.bytes)
        let written = Self.nanosecondsEach {
            _ = RequestHeadWriter.write(head, of: source, fields: message.fields, context: .example, into: buffer)
        }
        print("request head of \(message.bytes.count) bytes: parse \(parsed) ns, write \(written) ns")
    }

    @Test func response() throws {
        let message = Message(Self.responseHead)
        let parsed = Self.nanosecondsEach { _ = message.parseResponse(to: .get) }
        let head = try message.responseHead(to: .get)
        let terms = ReplyTerms(
            framing: .length(128), announcesClose: false, clientVersion: .http11, date: HTTPDate(.now()))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 1)
        defer { buffer.deallocate() }
        let source = UnsafeRawBufferPointer(message.bytes)
        let written = Self.nanosecondsEach {
            _ = ResponseHeadWriter.write(head, of: source, fields: message.fields, terms: terms, into: buffer)
        }
        print("response head of \(message.bytes.count) bytes: parse \(parsed) ns, write \(written) ns")
    }

    @Test func exchange() {
        var exchange = Exchange()
        let each = Self.nanosecondsEach {
            _ = exchange.handle(.request(RequestTraits()))
            _ = exchange.handle(.connected)
            _ = exchange.handle(.response(ResponseTraits()))
            _ = exchange.handle(.responseBody)
            _ = exchange.handle(.responseEnd(isClean: true))
        }
        print("exchange of five events: \(each) ns")
    }

    /// The best of many short rounds, which other processes did not disturb.
    private static func nanosecondsEach(_ work: () -> Void) -> Int {
        let repetitions = 500
        return (0..<1000).map { _ in
            let start = Instant.now()
            for _ in 0..<repetitions { work() }
            return Int((Instant.now() - start).count) / repetitions
        }.min()!
    }

    private static let browserHead = """
        GET /api/v1/items/12345?expand=owner&limit=50 HTTP/1.1\r
        Host: www.example.com\r
        Connection: keep-alive\r
        sec-ch-ua: "Chromium";v="128", "Not;A=Brand";v="24", "Google Chrome";v="128"\r
        sec-ch-ua-mobile: ?0\r
        sec-ch-ua-platform: "Linux"\r
        Upgrade-Insecure-Requests: 1\r
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36\r
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r
        Sec-Fetch-Site: none\r
        Sec-Fetch-Mode: navigate\r
        Accept-Encoding: gzip, deflate, br, zstd\r
        Accept-Language: en-US,en;q=0.9,de;q=0.8\r
        Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark\r
        \r\n
        """

    private static let responseHead = """
        HTTP/1.1 200 OK\r
        Server: nginx/1.22.1\r
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r
        Content-Type: application/json\r
        Content-Length: 128\r
        Connection: keep-alive\r
        ETag: "5e8f8f8f-80"\r
        Cache-Control: max-age=60\r
        \r\n
        """
}
