import Gateway
import Posix
import Testing

@Suite struct StickySessionsTests {
    private let address = SocketAddress("10.0.0.1:80")!
    private let sticky = StickySessions(cookie: "where", secret: "a secret of sixteen")

    private func find(_ field: String, name: String = "where") -> StickyToken? {
        let (name, field) = (Array(name.utf8), Array(field.utf8))
        return StickyToken(cookie: name.span.bytes, in: field.span.bytes)
    }

    @Test func theTokenNamesABackendOfOneUpstreamUnderOneSecret() {
        let token = sticky.token(upstream: "app", backend: address)
        #expect(token == sticky.token(upstream: "app", backend: address))
        #expect(token != sticky.token(upstream: "other", backend: address))
        #expect(token != sticky.token(upstream: "app", backend: SocketAddress("10.0.0.1:81")!))
        #expect(token != StickySessions(secret: "another secret, as long").token(upstream: "app", backend: address))
    }

    @Test func theLineSaysWhoMaySeeIt() {
        let token = StickyToken(number: 0xbeef)
        #expect(
            sticky.fieldLine(token)
                == "Set-Cookie: where=000000000000beef; Path=/; HttpOnly; SameSite=Lax\r\n")
        let strict = StickySessions(
            cookie: "c", secret: "a secret of sixteen", isSecure: true, sameSite: .strict, maximumAge: .seconds(60))
        #expect(
            strict.fieldLine(token)
                == "Set-Cookie: c=000000000000beef; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=60\r\n")
    }

    @Test(arguments: [
        "where=000000000000beef", "a=b; where=000000000000beef", "where=000000000000beef; a=b",
        "a; ;where=000000000000beef",
        "where=nonsense; where=000000000000beef", "xwhere=0000000000000bad; where=000000000000beef",
    ])
    func theCookieIsFound(field: String) {
        #expect(find(field) == StickyToken(number: 0xbeef))
    }

    @Test(arguments: [
        "", ";", "where", "where=", "where=beef", "where=000000000000beef0", "where=000000000000BEEF",
        "where=00000000000-beef", "wher=000000000000beef", "Where=000000000000beef", "where =000000000000beef",
        "where=\"0000000000beef\"",
    ])
    func whatIsNoTokenIsNone(field: String) {
        #expect(find(field) == nil)
    }

    /// Any bytes: nothing is found but what stands there whole.
    @Test(arguments: (1...20).map { UInt64($0) * 32_452_843 })
    func anyBytesAreRead(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let alphabet = Array("where=; 0123456789abcdef\u{0}\u{7f}".utf8)
        for _ in 0..<2_000 {
            let token = StickyToken(number: random.next())
            func noise() -> String {
                String(
                    decoding: (0..<random.below(30)).map { _ in alphabet[Int(random.below(UInt32(alphabet.count)))] },
                    as: UTF8.self)
            }
            _ = find(noise())
            #expect(find("\(noise());where=\(token);\(noise())") != nil)
        }
    }
}
