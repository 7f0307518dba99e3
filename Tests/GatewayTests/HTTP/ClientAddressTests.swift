import Gateway
import Posix
import Testing

/// On whose behalf a request was sent, as far as trusted proxies say.
@Suite struct ClientAddressTests {
    private static let networks = ["10.0.0.0/8", "2001:db8::/32"]

    @Test(arguments: [
        // Nothing said, nothing to say.
        ("", "10.0.0.1"),
        (",, ,", "10.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db9::1", "2001:db9::1"),
        ("[2001:db9::1]", "2001:db9::1"),
        ("[2001:db9::1]:80", "2001:db9::1"),
        // The last untrusted one, whatever stands before it.
        ("198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("198.51.100.1, 192.0.2.7, 10.1.1.1,10.2.2.2", "192.0.2.7"),
        ("10.9.9.9, 192.0.2.7", "192.0.2.7"),
        ("unknown, 192.0.2.7", "192.0.2.7"),
        // All trusted: the first of them.
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("::ffff:10.1.1.1", "10.1.1.1"),
        ("2001:db8::7", "2001:db8::7"),
        // A hop that hides: the trusted one behind it.
        ("192.0.2.7, unknown", "10.0.0.1"),
        ("192.0.2.7, unknown, 10.2.2.2", "10.2.2.2"),
        ("192.0.2.7, evil.example, 10.2.2.2, 10.3.3.3", "10.2.2.2"),
        ("192.0.2.256", "10.0.0.1"),
        ("192.0.2.7:", "10.0.0.1"),
        ("192.0.2.7:999999", "10.0.0.1"),
        ("192.0.2.7:8a", "10.0.0.1"),
        ("[2001:db9::1", "10.0.0.1"),
        ("[2001:db9::1]x", "10.0.0.1"),
        ("[192.0.2.7]", "10.0.0.1"),
        ("[]", "10.0.0.1"),
        ("0x7f.1", "10.0.0.1"),
        ("192.0.2.7 192.0.2.8", "10.0.0.1"),
        ("fe80::1%eth0", "10.0.0.1"),
        (String(repeating: "1", count: 5000), "10.0.0.1"),
    ])
    func lastUntrustedAddressOfXForwardedFor(value: String, client: String) throws {
        #expect(try find("X-Forwarded-For: \(value)\r\n", .xForwardedFor) == client)
    }

    @Test(arguments: [
        ("for=192.0.2.7", "192.0.2.7"),
        ("For=192.0.2.7;proto=https;by=10.0.0.9", "192.0.2.7"),
        ("proto=https ; for=192.0.2.7", "192.0.2.7"),
        ("for=\"192.0.2.7:4711\"", "192.0.2.7"),
        ("for=\"[2001:db9::1]:80\"", "2001:db9::1"),
        ("for=198.51.100.1, for=192.0.2.7, for=10.1.1.1", "192.0.2.7"),
        ("host=\"a,b;c\";for=192.0.2.7", "192.0.2.7"),
        // No node, or one that hides.
        ("proto=https", "10.0.0.1"),
        ("for=unknown", "10.0.0.1"),
        ("for=192.0.2.7, for=_hidden, for=10.2.2.2", "10.2.2.2"),
        // A quote that a client opened in front of what a proxy added must not swallow it.
        ("for=6.6.6.6;x=\", for=192.0.2.7", "10.0.0.1"),
        ("for=6.6.6.6;x=\", for=\"192.0.2.7\"", "10.0.0.1"),
        ("for=6.6.6.6;x=\", for=192.0.2.7;host=\"a\"", "10.0.0.1"),
        ("for=6.6.6.6;x=\"\\\", for=192.0.2.7;host=\"a\"", "10.0.0.1"),
        // Not what the grammar says.
        ("for=192.0.2.7;for=192.0.2.8", "10.0.0.1"),
        ("for=[2001:db9::1]", "10.0.0.1"),
        ("for= 192.0.2.7", "10.0.0.1"),
        ("for=192.0.2.7 x", "10.0.0.1"),
        ("for=192.0.2.7;", "10.0.0.1"),
        ("192.0.2.7", "10.0.0.1"),
        (";;;,,,", "10.0.0.1"),
    ])
    func lastUntrustedNodeOfForwarded(value: String, client: String) throws {
        #expect(try find("Forwarded: \(value)\r\n", .forwarded) == client)
    }

    @Test func severalLinesAreOneList() throws {
        let fields =
            "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.8, 10.1.1.1\r\n"
            + "x-forwarded-for: 10.2.2.2\r\n"
        #expect(try find(fields, .xForwardedFor) == "192.0.2.8")
        #expect(try find("Forwarded: for=\"\r\nForwarded: for=192.0.2.8\r\n", .forwarded) == "192.0.2.8")
    }

    @Test func theOtherFieldSaysNothing() throws {
        #expect(try find("Forwarded: for=192.0.2.7\r\n", .xForwardedFor) == "10.0.0.1")
        #expect(try find("X-Forwarded-For: 192.0.2.7\r\n", .forwarded) == "10.0.0.1")
    }

    private func find(_ fields: String, _ field: ForwardedField) throws -> String {
        let message = Message("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        let head = try message.requestHead()
        let trusted = ClientAddressTests.networks.map { text in
            let parts = text.split(separator: "/")
            return IPNetwork(IPAddress(String(parts[0]))!, prefixLength: Int(parts[1])!)!
        }
        return trusted.withUnsafeBufferPointer { trusted in
            ClientAddress.find(
                from: IPAddress("10.0.0.1")!, UnsafeRawBufferPointer(message.bytes), message.fields,
                count: head.fieldCount, in: field, trusted: trusted)
        }.description
    }
}

/// What a backend is told about the client by way of a trusted proxy.
@Suite struct TrustedForwardingTests {
    private let head = "GET / HTTP/1.1\r\nHost: a.example\r\n"

    @Test func xForwardedFieldsOfATrustedPeerAreKept() throws {
        let lines = try forwarded(
            "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
                + "X-Forwarded-Host: b.example\r\nForwarded: for=6.6.6.6\r\n", .xForwardedFor)
        #expect(lines.contains("X-Forwarded-For: 198.51.100.1, 192.0.2.7, 10.0.0.1"))
        #expect(lines.filter { $0.hasPrefix("X-Forwarded-Proto") } == ["X-Forwarded-Proto: https"])
        #expect(lines.filter { $0.hasPrefix("X-Forwarded-Host") } == ["X-Forwarded-Host: b.example"])
        // A client may have written it: a proxy that keeps one field may pass on the other.
        #expect(
            lines.filter { $0.hasPrefix("Forwarded") } == ["Forwarded: for=192.0.2.7;host=\"a.example\";proto=http"])
    }

    @Test func whatATrustedPeerDoesNotSayIsSaid() throws {
        let lines = try forwarded("X-Forwarded-Host:\r\n", .xForwardedFor)
        #expect(lines.contains("X-Forwarded-For: 10.0.0.1"))
        #expect(lines.contains("X-Forwarded-Proto: http"))
        #expect(lines.filter { $0.hasPrefix("X-Forwarded-Host") } == ["X-Forwarded-Host: a.example"])
        #expect(!lines.contains { $0.hasPrefix("Forwarded") })
    }

    @Test func forwardedOfATrustedPeerIsAddedTo() throws {
        let lines = try forwarded(
            "Forwarded: for=192.0.2.7;proto=https\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n",
            .forwarded)
        #expect(
            lines.contains(
                "Forwarded: for=192.0.2.7;proto=https, for=10.0.0.1;host=\"a.example\";proto=http"))
        #expect(lines.contains("X-Forwarded-For: 192.0.2.7"))
        #expect(lines.filter { $0.hasPrefix("X-Forwarded-Proto") } == ["X-Forwarded-Proto: http"])
    }

    @Test func addressesOfIPv6AreQuoted() throws {
        let lines = try forwarded("Forwarded: for=x\r\n", nil, client: "2001:db8::7")
        #expect(lines.contains("Forwarded: for=\"[2001:db8::7]\";host=\"a.example\";proto=http"))
        #expect(lines.contains("X-Forwarded-For: 2001:db8::7"))
    }

    @Test func fieldsThatConnectionNamesAreNotKept() throws {
        let lines = try forwarded(
            "Connection: x-forwarded-for, x-forwarded-proto\r\nX-Forwarded-For: 192.0.2.7\r\n"
                + "X-Forwarded-Proto: https\r\n", .xForwardedFor)
        #expect(lines.contains("X-Forwarded-For: 10.0.0.1"))
        #expect(lines.contains("X-Forwarded-Proto: http"))
    }

    private func forwarded(
        _ fields: String, _ trusted: ForwardedField?, client: String = "192.0.2.7"
    ) throws -> [String] {
        let message = Message("\(head)\(fields)\r\n")
        let context = ForwardingContext(
            client: IPAddress(client)!, peer: IPAddress("10.0.0.1")!, scheme: .http,
            backend: SocketAddress("127.0.0.1:9000")!, trustedField: trusted)
        let text = try #require(message.rewritten(try message.requestHead(), context))
        return text.split(separator: "\r\n").map(String.init)
    }
}
