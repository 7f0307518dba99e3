import Posix
import Testing

@Suite struct SocketAddressTests {
    @Test(arguments: ["127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:8080", "[fd00::1]:1", "[::]:443"])
    func readsWhatItWrites(text: String) {
        #expect(SocketAddress(text)?.description == text)
    }

    @Test(arguments: [
        "", ":", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1",
        "127.1:80", "127.0.0.01:80", "256.0.0.1:80", "::1:80", "[::1]", "[::1]80", "[127.0.0.1]:80", "[::1:80",
        "localhost:80", "127.0.0.1:٨٠",
    ])
    func refusesEverythingElse(text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func kindsOfAddresses() throws {
        #expect(try #require(IPAddress("127.8.9.1")).isLoopback)
        #expect(try #require(IPAddress("::1")).isLoopback)
        #expect(try #require(IPAddress("::")).isUnspecified)
        let mapped = try #require(IPAddress("::ffff:10.0.0.1"))
        #expect(mapped.isIPv4 && mapped.description == "10.0.0.1")
    }

    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func theKernelGivesTheSameBack(text: String) throws {
        let wanted = try #require(SocketAddress(text))
        let listener = try Socket.listen(on: wanted)
        let bound = try #require(Socket.localAddress(of: listener.raw))
        #expect(bound.ip == wanted.ip && bound.port != 0)
    }
}
