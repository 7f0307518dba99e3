import Gateway
import Posix
import Testing

private let four = IPAddress("10.1.2.3")!
private let six = IPAddress("fd00::5")!

private func parse(_ bytes: [UInt8]) -> [NetlinkEvent] { bytes.withUnsafeBytes { NetlinkEvent.parse($0) } }

@Suite struct NetlinkMessageTests {
    /// RTM_NEWADDR reads the same in both directions.
    @Test func addressRoundTrip() {
        let bytes = NetlinkRequest.add(four, interface: 7, lifetimeSeconds: 3, sequence: 1)
        #expect(parse(bytes) == [.address(four, prefixLength: 32, interface: 7)])
        let bytes6 = NetlinkRequest.add(six, interface: 7, lifetimeSeconds: 3, sequence: 1)
        #expect(parse(bytes + bytes6).last == .address(six, prefixLength: 128, interface: 7))
    }

    @Test func removalRoundTrip() {
        #expect(
            parse(NetlinkRequest.delete(six, interface: 3, sequence: 9)) == [.addressRemoved(six, interface: 3)])
    }

    @Test func exactBytes() {
        #expect(
            NetlinkRequest.delete(four, interface: 2, sequence: 5) == [
                40, 0, 0, 0, 21, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 32, 0, 0, 2, 0, 0, 0, 8, 0, 2, 0, 10, 1, 2, 3, 8,
                0, 1, 0, 10, 1, 2, 3,
            ])
    }

    @Test func acknowledgements() {
        let success: [UInt8] = [20, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        #expect(parse(success) == [.acknowledgement(sequence: 5, code: 0)])
        let notPermitted: [UInt8] = [20, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]
        #expect(parse(notPermitted) == [.acknowledgement(sequence: 5, code: 1)])
    }

    @Test func cutShortMessagesAreIgnored() {
        let bytes = NetlinkRequest.add(six, interface: 7, lifetimeSeconds: 3, sequence: 1)
        for length in 0..<bytes.count { #expect(parse(Array(bytes.prefix(length))).isEmpty) }
    }

    @Test(arguments: UInt64(1)...500)
    func anyBytesAreHarmless(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var bytes = NetlinkRequest.add(four, interface: 7, lifetimeSeconds: 3, sequence: 1)
        bytes += NetlinkRequest.delete(six, interface: 7, sequence: 2)
        for _ in 0..<8 { bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(random.below(256)) }
        #expect(parse(bytes).count <= bytes.count / 16)
    }
}
