import Gateway
import Posix
import Testing

@Suite struct ClientAddressCountsTests {
    private let one = IPAddress("192.0.2.1")!
    private let two = IPAddress("192.0.2.2")!

    @Test func countsEachAddressByItself() {
        let counts = ClientAddressCounts(seed: 7)
        #expect(counts.add(one, limit: 2) && counts.add(one, limit: 2))
        #expect(!counts.add(one, limit: 2))
        #expect(counts.add(two, limit: 2))
        counts.remove(one)
        #expect(counts.add(one, limit: 2))
        #expect(!counts.add(one, limit: 2))
    }

    @Test func countsANetworkOfIPv6AsOneClient() {
        let counts = ClientAddressCounts(seed: 7)
        #expect(counts.add(IPAddress("2001:db8:0:1::1")!, limit: 1))
        #expect(!counts.add(IPAddress("2001:db8:0:1:ffff::2")!, limit: 1))
        #expect(counts.add(IPAddress("2001:db8:0:2::1")!, limit: 1))
    }

    @Test func isNeverTooLowAndSeldomTooHigh() {
        let counts = ClientAddressCounts(seed: 7)
        var refused = 0
        for number in 0..<UInt32(3_000) where !counts.add(IPAddress(v4: 0x0a00_0000 + number), limit: 1) {
            refused += 1
        }
        #expect(refused < 60)
    }
}
