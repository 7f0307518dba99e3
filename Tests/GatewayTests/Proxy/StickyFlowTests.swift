import Gateway
import Posix
import Testing

/// Clients that come back to their backend by a cookie.
@Suite struct StickyFlowTests {
    private func configuration(_ backends: [TestBackend]) -> GatewayConfiguration {
        var configuration = TestGateway.configuration(backends.map(\.address))
        configuration.upstreams[0].sticky = StickySessions(cookie: "where", secret: "a secret of sixteen")
        return configuration
    }

    private func cookie(_ response: Wire.Message) throws -> String {
        let field = try #require(response["set-cookie"])
        #expect(field.hasSuffix("; Path=/; HttpOnly; SameSite=Lax"))
        return String(field.prefix { $0 != ";" })
    }

    @Test func aClientStaysAtEveryNodeAndMovesOnceWhenItsBackendGoes() throws {
        let backends = try ["one", "two", "three"].map { try TestBackend(named: $0) }
        let gateway = try TestGateway(configuration(backends))
        let client = try gateway.connect()
        let first = try client.get()
        let cookie = try cookie(first)
        for _ in 0..<6 {
            let response = try client.get(fields: "Cookie: a=b; \(cookie)\r\n")
            #expect(response.text == first.text && response["set-cookie"] == nil)
        }
        let strangers = try (0..<6).map { _ in try client.get().text }
        #expect(Set(strangers) == ["one", "two", "three"], "without a cookie the algorithm decides")

        let otherNode = try TestGateway(configuration(backends))
        let elsewhere = try otherNode.connect().get(fields: "Cookie: \(cookie)\r\n")
        #expect(elsewhere.text == first.text && elsewhere["set-cookie"] == nil)

        let home = try #require(backends.first { $0.requests.count > 6 })
        gateway.publish(configuration(backends)) { $0.address != home.address }
        let moved = try gateway.connect().get(fields: "Cookie: \(cookie)\r\n")
        #expect(moved.text != first.text)
        let newCookie = try self.cookie(moved)
        #expect(newCookie != cookie)
        let stayed = try gateway.connect().get(fields: "Cookie: \(newCookie)\r\n")
        #expect(stayed.text == moved.text && stayed["set-cookie"] == nil)
    }

    @Test func aCookieThatNamesNobodyIsReplaced() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway(configuration([backend]))
        let response = try gateway.connect().get(fields: "Cookie: where=0123456789abcdef\r\n")
        #expect(try cookie(response) != "where=0123456789abcdef")
    }
}
