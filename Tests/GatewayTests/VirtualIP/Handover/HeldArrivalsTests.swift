import CLinux
import Gateway
import Posix
import Testing

private let mine: [UInt8] = [2, 0, 0, 0, 0, 1]
private let heir: [UInt8] = [2, 0, 0, 0, 0, 2]
private let client: [UInt8] = [2, 0, 0, 0, 0, 9]
private let four = IPAddress("10.0.0.100")!
private let six = IPAddress("fd00::100")!

@Suite struct HeldArrivalsTests {
    private var arrivals = HeldArrivals(own: mine)

    init() { arrivals.addresses = [four, six] }

    private static func tcp(flags: UInt8) -> [UInt8] {
        [0xc0, 0, 0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xfa, 0xf0, 0xaa, 0xaa, 0, 0]
    }

    private static func packet4(_ destination: IPAddress, flags: UInt8 = 0x02, fragment: UInt8 = 0) -> [UInt8] {
        let source = IPAddress("10.0.0.9")!.networkBytes
        let header: [UInt8] = [0x45, 0, 0, 40, 0, 1, fragment, 0, 64, 6, 0, 0]
        return header + source + destination.networkBytes + tcp(flags: flags)
    }

    private static func packet6(_ destination: IPAddress) -> [UInt8] {
        let source = IPAddress("fd00::9")!.networkBytes
        return [0x60, 0, 0, 0, 0, 20, 6, 64] + source + destination.networkBytes + tcp(flags: 0x02)
    }

    private mutating func take(_ packet: [UInt8]) -> [HeldArrivals.Forward] {
        arrivals.take(packet, protocolNumber: ETH_P_IP, from: client)
    }

    private mutating func announce(_ address: IPAddress, by hardware: [UInt8]) -> [HeldArrivals.Forward] {
        guard address.isIPv4 else {
            let packet = Announcement.neighbourAdvertisement(address, hardware: hardware)
            return arrivals.take(packet, protocolNumber: ETH_P_IPV6, from: hardware)
        }
        let packet = Announcement.gratuitousARP(address, hardware: hardware)
        return arrivals.take(packet, protocolNumber: ETH_P_ARP, from: hardware)
    }

    @Test mutating func whatComesBeforeTheAnnouncementIsKeptAndWhatComesAfterIsPassedOn() {
        let packet = Self.packet4(four)
        #expect(take(packet).isEmpty && take(packet).isEmpty)
        #expect(announce(four, by: mine).isEmpty)
        let passedOn = announce(four, by: heir)
        #expect(passedOn.count == 2 && passedOn.allSatisfy { $0.target == heir })
        #expect(announce(four, by: heir).isEmpty)
        #expect(take(packet).map(\.target) == [heir])
    }

    @Test mutating func checksumsAreMade() throws {
        _ = take(Self.packet4(four) + [0, 0, 0, 0, 0, 0])
        let packet = try #require(announce(four, by: heir).first).packet.bytes
        #expect(packet.count == 40, "the link's padding is not passed on")
        let pseudoHeader = Array(packet[12..<20]) + [0, 6, 0, 20]
        #expect(Announcement.internetChecksum(pseudoHeader + packet[20...]) == 0)
        #expect(Array(packet[..<20]) == Array(Self.packet4(four)[..<20]))
    }

    @Test mutating func sixIsPassedOnToo() throws {
        #expect(arrivals.take(Self.packet6(six), protocolNumber: ETH_P_IPV6, from: client).isEmpty)
        #expect(announce(four, by: heir).isEmpty)
        let forward = try #require(announce(six, by: heir).first)
        let packet = forward.packet.bytes
        #expect(forward.packet.version == .six && forward.target == heir)
        let pseudoHeader = Array(packet[8..<40]) + [0, 20, 0, 6]
        #expect(Announcement.internetChecksum(pseudoHeader + packet[40...]) == 0)
    }

    @Test mutating func everythingElseIsLeftAlone() {
        for packet in [
            Self.packet4(IPAddress("10.0.0.1")!), Self.packet4(four, flags: 0x12), Self.packet4(four, flags: 0x10),
            Self.packet4(four, fragment: 0x20), Array(Self.packet4(four).prefix(39)), [],
        ] { #expect(take(packet).isEmpty) }
        #expect(announce(four, by: heir).isEmpty)
    }

    @Test mutating func onlySoManyAreKept() {
        for _ in 0...HeldArrivals.limit { _ = take(Self.packet4(four)) }
        #expect(announce(four, by: heir).count == HeldArrivals.limit)
    }

    @Test mutating func noBytesTrap() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var packet = Bool.random() ? Self.packet4(four) : Self.packet6(six)
            for _ in 0..<3 { packet[Int.random(in: 0..<packet.count, using: &generator)] = .random(in: 0...255) }
            packet.removeLast(.random(in: 0...packet.count))
            for number in [ETH_P_IP, ETH_P_IPV6, ETH_P_ARP] {
                _ = arrivals.take(packet, protocolNumber: number, from: client)
            }
        }
    }
}
