import TLS
import Testing

@Suite struct ServerNamesTests {
    @Test func exactNamesComeBeforeWildcardsAndOneStarIsOneLabel() {
        var names = ServerNames()
        names.add(["shop.test", "*.shop.test"], index: 0)
        names.add(["api.shop.test", "shop.test", "*.Other.test"], index: 1)
        #expect(names.certificate(for: "shop.test") == 0)
        #expect(names.certificate(for: "Shop.Test.") == 0)
        #expect(names.certificate(for: "api.shop.test") == 1)
        #expect(names.certificate(for: "www.shop.test") == 0)
        #expect(names.certificate(for: "a.other.test") == 1)
        for unknown in ["", ".", "other.test", "a.b.shop.test", ".shop.test", "test", "*.shop.testing"] {
            #expect(names.certificate(for: unknown) == nil, "\(unknown)")
        }
    }
}
