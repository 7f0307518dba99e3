import Gateway
import Testing

@Suite struct KernelSettingsTests {
    /// The kernel uses the higher one of the values for `all` and for the interface.
    @Test(arguments: [
        (0, 0, ["arp_announce"]), (2, 0, []), (0, 2, []), (1, 0, ["arp_announce"]),
    ])
    func announce(all: Int, own: Int, expected: [String]) {
        let warnings = KernelSettings.warnings(interface: "eth0") { path in
            switch path {
            case "net/ipv4/conf/all/arp_announce": all
            case "net/ipv4/conf/eth0/arp_announce": own
            default: nil
            }
        }
        #expect(warnings.map { String($0.prefix(12)) } == expected)
    }

    @Test(arguments: [(0, 1, true), (1, 0, true), (1, 2, false), (0, 0, false)])
    func reversePathFilter(all: Int, own: Int, isStrict: Bool) {
        let warnings = KernelSettings.warnings(interface: "eth0") { path in
            switch path {
            case "net/ipv4/conf/all/rp_filter": all
            case "net/ipv4/conf/eth0/rp_filter": own
            default: nil
            }
        }
        #expect(warnings.count == (isStrict ? 1 : 0))
    }
}
