import TLS
import Testing

/// Two ends of a secured connection, with the wire in between in the test's hands.
@Suite
struct TLSSessionTests {
    /// One end: what it received, and why it gave up.
    private final class End {
        let session: TLSSession
        var received: [UInt8] = []
        var failure: TLSFailure?

        init(_ context: TLSContext, _ role: TLSSession.Role) throws {
            session = try TLSSession(context, role)
            try session.begin()
        }

        func takeOutput() -> [UInt8] {
            var bytes: [UInt8] = []
            session.takeOutput { bytes.append(contentsOf: $0) }
            return bytes
        }

        func receive(_ bytes: [UInt8], atATime count: Int) {
            var start = 0
            while start < bytes.count, failure == nil {
                let piece = bytes[start..<min(start + count, bytes.count)]
                do {
                    try Array(piece).withUnsafeBytes { try session.receive($0) { received.append(contentsOf: $0) } }
                } catch { failure = error as? TLSFailure }
                start += count
            }
        }
    }

    /// Carries bytes to and fro until there are none; returns all that was on the wire.
    @discardableResult
    private func exchange(_ client: End, _ server: End, atATime count: Int = 1 << 20) -> [UInt8] {
        var wire: [UInt8] = []
        while true {
            let there = client.takeOutput()
            server.receive(there, atATime: count)
            let back = server.takeOutput()
            client.receive(back, atATime: count)
            wire += there + back
            if there.isEmpty && back.isEmpty { return wire }
        }
    }

    @Test(arguments: [1, 7, 1 << 20])
    func bothEndsAreKnownAndNothingIsReadable(atATime count: Int) throws {
        let authority = try Authority()
        let client = try End(authority.context(of: 1), .client)
        let server = try End(authority.context(of: 2), .server)
        exchange(client, server, atATime: count)
        #expect(client.session.state == .open && server.session.state == .open)
        #expect(client.session.peerURIs == [NodeName(cluster: "shop", node: 2).uri])
        #expect(server.session.peerURIs == [NodeName(cluster: "shop", node: 1).uri])

        let secret = Array("the quick brown fox".utf8)
        let large = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try client.session.send(secret)
        try server.session.send(large)
        let wire = exchange(client, server, atATime: count)
        #expect(server.received == secret && client.received == large)
        #expect(!wire.contains(secret))
        #expect(wire.count <= TLSSession.wireBytes(of: secret.count) + TLSSession.wireBytes(of: large.count))
    }

    @Test func aCertificateOfAnotherAuthorityIsRefused() throws {
        let authority = try Authority()
        let rogue = try Authority()
        let client = try End(rogue.context(of: 1, trusting: authority), .client)
        let server = try End(authority.context(of: 2), .server)
        exchange(client, server)
        #expect(server.failure?.description.hasPrefix("its certificate is refused: ") == true)
        #expect(client.failure == TLSFailure("it refuses this node's certificate: unknown CA"))
        #expect(server.received.isEmpty)
    }

    @Test func theEndThatDialsChecksTheOtherToo() throws {
        let authority = try Authority()
        let rogue = try Authority()
        let client = try End(authority.context(of: 1), .client)
        let server = try End(rogue.context(of: 2, trusting: authority), .server)
        exchange(client, server)
        #expect(client.failure?.description.hasPrefix("its certificate is refused: ") == true)
        #expect(server.session.state == .handshake)
    }

    @Test func anExpiredCertificateIsRefused() throws {
        let authority = try Authority()
        let client = try End(authority.context(of: 1, days: -1), .client)
        let server = try End(authority.context(of: 2), .server)
        exchange(client, server)
        #expect(server.failure == TLSFailure("its certificate is refused: certificate has expired"))
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u{0}\u{0}\u{0}\u{20}abcdefgh plain frames of a node"])
    func plainTextIsKnownAsSuch(text: String) throws {
        let server = try End(try Authority().context(of: 2), .server)
        server.receive(Array(text.utf8), atATime: 1 << 20)
        #expect(server.failure == .noTLS)
    }

    @Test(arguments: [5, 60, 200, 600])
    func aFlippedBitEndsTheHandshake(at offset: Int) throws {
        let authority = try Authority()
        let client = try End(authority.context(of: 1), .client)
        let server = try End(authority.context(of: 2), .server)
        server.receive(client.takeOutput(), atATime: 1 << 20)
        var answer = server.takeOutput()
        try #require(answer.count > offset)
        answer[offset] ^= 1
        client.receive(answer, atATime: 1 << 20)
        exchange(client, server)
        #expect(client.session.state != .open || server.session.state != .open)
        #expect(client.failure != nil || server.failure != nil)
    }
}

/// An authority and what it signs.
struct Authority {
    let authority: CertificateAuthority

    init() throws { authority = try CertificateAuthority.make(name: "test", days: 10).authority }

    func context(of node: UInt64, days: Int = 5, trusting other: Authority? = nil) throws -> TLSContext {
        let (certificate, key) = try authority.issue(
            for: NodeName(cluster: "shop", node: node), hosts: ["gw1.example.org", "192.0.2.1", "2001:db8::1"],
            days: days)
        return try TLSContext(
            chain: [certificate], key: key, authorities: [(other ?? self).authority.certificate])
    }
}

extension Array where Element == UInt8 {
    fileprivate func contains(_ part: [UInt8]) -> Bool {
        count >= part.count && (0...count - part.count).contains { self[$0..<$0 + part.count].elementsEqual(part) }
    }
}
