import Posix
import Testing

@Suite struct IPNetworkTests {
    @Test(arguments: [
        ("10.0.0.0", 8, ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "9.255.255.255", "::a00:1", "a00::"]),
        ("192.0.2.7", 32, ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        ("0.0.0.0", 0, ["0.0.0.0", "255.255.255.255"], ["::1", "2001:db8::"]),
        ("2001:db8::", 32, ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::", "10.0.0.1"]),
        ("2001:db8::", 64, ["2001:db8::ffff:0:0:1"], ["2001:db8:0:1::"]),
        ("2001:db8:0:0:8000::", 65, ["2001:db8::ffff:0:0:1"], ["2001:db8::7fff:0:0:1"]),
        ("::1", 128, ["::1"], ["::", "::2"]),
        ("::", 0, ["::1", "ffff::"], ["10.0.0.1"]),
    ])
    func hasTheAddressesThatBeginAlike(address: String, length: Int, inside: [String], outside: [String]) throws {
        let network = try #require(IPNetwork(IPAddress(address)!, prefixLength: length))
        for text in inside { #expect(network.contains(IPAddress(text)!), "\(text)") }
        for text in outside { #expect(!network.contains(IPAddress(text)!), "\(text)") }
        #expect(network.description == "\(address)/\(length)")
    }

    @Test(arguments: [("10.0.0.1", 8), ("10.0.0.0", 33), ("10.0.0.0", -1), ("2001:db8::1", 64), ("::", 129)])
    func hasNoBitsBehindItsPrefix(address: String, length: Int) {
        #expect(IPNetwork(IPAddress(address)!, prefixLength: length) == nil)
    }
}
