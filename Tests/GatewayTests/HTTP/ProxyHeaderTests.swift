import Gateway
import Posix
import Testing

/// PROXY headers as proxies write them, and as nobody should.
@Suite struct ProxyHeaderTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10] + Array("QUIT\n".utf8)
    private static let v4 = [UInt8](arrayLiteral: 192, 0, 2, 7, 203, 0, 113, 1, 0xc0, 0x00, 0x01, 0xbb)
    private static let v6 = [UInt8]([0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [7])

    private static func binary(_ command: UInt8, _ family: UInt8, _ rest: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? rest.count
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + rest
    }

    private static func complete(_ bytes: [UInt8], _ client: String?) -> ProxyHeaderParse {
        .complete(ProxyHeader(byteCount: bytes.count, client: client.flatMap { SocketAddress($0) }))
    }

    private static func parse(_ bytes: [UInt8]) -> ProxyHeaderParse {
        bytes.withUnsafeBytes { ProxyHeaderParser.parse($0.bytes) }
    }

    @Test(arguments: [
        ("PROXY TCP4 192.0.2.7 203.0.113.1 49152 443", "192.0.2.7:49152"),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255:65535"),
        ("PROXY TCP4 192.0.2.7 203.0.113.1 0 0", "192.0.2.7:0"),
        ("PROXY TCP6 2001:db8::7 2001:db8::1 49152 443", "[2001:db8::7]:49152"),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"
        ),
        ("PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2", "192.0.2.7:1"),
        ("PROXY UNKNOWN", nil),
        ("PROXY UNKNOWN ffff:f...f:ffff anything 1 2", nil),
    ])
    func linesAreRead(line: String, client: String?) {
        let header = Array("\(line)\r\n".utf8)
        #expect(Self.parse(header) == Self.complete(header, client))
        #expect(Self.parse(header + Array("GET / HTTP/1.1\r\n".utf8)) == Self.complete(header, client))
        for count in 0..<header.count { #expect(Self.parse(Array(header[..<count])) == .incomplete) }
    }

    @Test(arguments: [
        "PROXY TCP4 192.0.2.7 203.0.113.1 49152 443 \r\n", "PROXY TCP4  192.0.2.7 203.0.113.1 49152 443\r\n",
        "PROXY TCP4 192.0.2.7 203.0.113.1 49152\r\n", "PROXY TCP4 192.0.2.7 203.0.113.1 49152 443 1\r\n",
        "PROXY TCP4 2001:db8::7 203.0.113.1 49152 443\r\n", "PROXY TCP6 192.0.2.7 203.0.113.1 49152 443\r\n",
        "PROXY TCP4 192.0.2.7 203.0.113.1 65536 443\r\n", "PROXY TCP4 192.0.2.7 203.0.113.1 049152 443\r\n",
        "PROXY TCP4 192.0.2.7 203.0.113.1 -1 443\r\n", "PROXY TCP4 192.0.2.7 203.0.113.1 1 \r\n",
        "PROXY TCP4 192.0.2.7\0 203.0.113.1 1 2\r\n", "PROXY TCP4 192.0.2.7 localhost 1 2\r\n",
        "PROXY TCP4 192.0.2.7 203.0.113.1 1 2\n\r\n", "PROXY TCP4 192.0.2.7 203.0.113.1 1 2\rX\r\n",
        "PROXY UDP4 192.0.2.7 203.0.113.1 1 2\r\n", "PROXY tcp4 192.0.2.7 203.0.113.1 1 2\r\n", "PROXY \r\n",
    ])
    func brokenLinesAreRefused(line: String) {
        #expect(Self.parse(Array(line.utf8)) == .invalid(.malformed))
    }

    @Test func aLineHasItsLongest() {
        let fits = Array(("PROXY UNKNOWN" + String(repeating: " ", count: 92) + "\r\n").utf8)
        #expect(fits.count == 107 && Self.parse(fits) == Self.complete(fits, nil))
        let endless = [UInt8]("PROXY UNKNOWN".utf8) + [UInt8](repeating: 32, count: 93)
        #expect(Self.parse(endless) == .invalid(.tooLong))
    }

    @Test func binaryHeadersAreRead() {
        let ports: [UInt8] = [0xc0, 0x00, 0x01, 0xbb]
        let extensions: [UInt8] = [0x04, 0, 2, 1, 2]
        let headers: [([UInt8], String?)] = [
            (Self.binary(0x21, 0x11, Self.v4), "192.0.2.7:49152"),
            (Self.binary(0x21, 0x11, Self.v4 + extensions), "192.0.2.7:49152"),
            (Self.binary(0x21, 0x12, Self.v4), "192.0.2.7:49152"),
            (Self.binary(0x21, 0x21, Self.v6 + Self.v6 + ports), "[2001:db8::7]:49152"),
            (Self.binary(0x21, 0x31, [UInt8](repeating: 65, count: 216)), nil),
            (Self.binary(0x21, 0x00, []), nil), (Self.binary(0x21, 0x00, extensions), nil),
            (Self.binary(0x20, 0x00, []), nil), (Self.binary(0x20, 0x11, Self.v4), nil),
            (Self.binary(0x20, 0xff, [1, 2, 3]), nil),
            (Self.binary(0x20, 0x00, [UInt8](repeating: 0, count: 4080)), nil),
        ]
        for (header, client) in headers {
            #expect(Self.parse(header + [71, 69, 84]) == Self.complete(header, client))
            for count in 0..<header.count { #expect(Self.parse(Array(header[..<count])) == .incomplete) }
        }
    }

    @Test func brokenBinaryHeadersAreRefused() {
        let headers: [([UInt8], ProxyHeaderFault)] = [
            (Self.binary(0x11, 0x11, Self.v4), .malformed), (Self.binary(0x31, 0x11, Self.v4), .malformed),
            (Self.binary(0x22, 0x11, Self.v4), .malformed), (Self.binary(0x21, 0x41, Self.v4), .malformed),
            (Self.binary(0x21, 0x13, Self.v4), .malformed), (Self.binary(0x21, 0x11, Self.v4, length: 11), .malformed),
            (Self.binary(0x21, 0x21, Self.v4), .malformed), (Self.binary(0x21, 0x31, Self.v4), .malformed),
            (Self.binary(0x21, 0x11, [], length: 4081), .tooLong),
            (Self.binary(0x20, 0x00, [], length: 65535), .tooLong),
        ]
        for (header, fault) in headers { #expect(Self.parse(header) == .invalid(fault)) }
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n", "P", "PROX", "PROXY\t", "\r\n\r\n\0\r\nQUIZ", "\r\nG", "\u{16}\u{3}\u{1}"])
    func anythingElseIsNone(beginning: String) {
        let isPrefix = "PROXY ".hasPrefix(beginning)
        #expect(Self.parse(Array(beginning.utf8)) == (isPrefix ? .incomplete : .invalid(.missing)))
    }

    @Test(arguments: ProxyHeaderVersion.allCases)
    func whatIsWrittenIsRead(version: ProxyHeaderVersion) {
        let ends = ["192.0.2.7:49152", "[2001:db8::7]:443", "255.255.255.255:65535", "[::]:0"].map {
            SocketAddress($0)!
        }
        for client in ends {
            for server in ends {
                var buffer = [UInt8](repeating: 0, count: ProxyHeaderWriter.longest)
                let count = buffer.withUnsafeMutableBytes {
                    ProxyHeaderWriter.write(version, client: client, server: server, into: $0)
                }
                let read = Self.parse(Array(buffer[..<count]))
                #expect(read == .complete(ProxyHeader(byteCount: count, client: client)))
            }
        }
        let own = ProxyHeaderWriter.own(version)
        #expect(Self.parse(own) == Self.complete(own, nil))
    }

    @Test func aWrittenLineReadsAsTheProtocolSays() {
        var buffer = [UInt8](repeating: 0, count: ProxyHeaderWriter.longest)
        let count = buffer.withUnsafeMutableBytes {
            ProxyHeaderWriter.write(
                .v1, client: SocketAddress("192.0.2.7:49152")!, server: SocketAddress("[2001:db8::1]:443")!, into: $0)
        }
        let line = String(decoding: buffer[..<count], as: UTF8.self)
        #expect(line == "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 49152 443\r\n")
    }
}
