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
    private var arrivals = HeldArrivals(own: mine, packetBytes: 1500)

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

    /// Until the next holder has made them; whoever asks for a connection need not wait for that.
    @Test mutating func segmentsOfOpenConnectionsWaitForThese() {
        arrivals.scope = .everything
        arrivals.awaitsConnections = true
        let (first, later) = (Self.packet4(four), Self.packet4(four, flags: 0x18))
        #expect(take(first).isEmpty && take(later).isEmpty)
        #expect(arrivals.connectionsAreThere().isEmpty, "nobody has the address")
        arrivals.awaitsConnections = true
        #expect(announce(four, by: heir).map { $0.packet.bytes[33] } == [0x02])
        #expect(take(first).count == 1 && take(later).isEmpty)
        #expect(arrivals.connectionsAreThere().map { $0.packet.bytes[33] } == [0x18, 0x18])
        #expect(arrivals.connectionsAreThere().isEmpty)
        #expect(take(later).count == 1)
    }

    /// Only who asked for a connection: everybody else says it again.
    @Test mutating func whatAnAddressThatStaysWasAskedForIsLetIn() throws {
        arrivals.scope = .everything
        _ = take(Self.packet4(four))
        _ = take(Self.packet4(four, flags: 0x18))
        _ = arrivals.take(Self.packet6(six), protocolNumber: ETH_P_IPV6, from: client)
        let letIn = arrivals.letIn([four])
        #expect(letIn.map { $0.bytes[33] } == [0x02])
        let packet = try #require(letIn.first).bytes
        #expect(Announcement.internetChecksum(Array(packet[12..<20]) + [0, 6, 0, 20] + packet[20...]) == 0)
        #expect(announce(four, by: heir).isEmpty && announce(six, by: heir).count == 1)
        #expect(arrivals.letIn([four]).isEmpty)
        _ = take(Self.packet4(four))
        #expect(arrivals.letIn([four]).count == 1, "whoever had announced it does not get what comes later")
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
        for _ in 0...HeldArrivals.Limit.packets { _ = take(Self.packet4(four)) }
        #expect(announce(four, by: heir).count == HeldArrivals.Limit.packets)
    }

    /// A packet with `payload` behind a segment's head with twelve bytes of options.
    private static func data4(_ payload: [UInt8], flags: UInt8 = 0x19) -> [UInt8] {
        var segment = tcp(flags: flags) + [1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9] + payload
        segment[12] = 0x80
        let total = 20 + segment.count
        let header: [UInt8] = [0x45, 0, UInt8(total >> 8), UInt8(total & 0xff), 0, 1, 0, 0, 64, 6, 0, 0]
        return header + IPAddress("10.0.0.9")!.networkBytes + four.networkBytes + segment
    }

    @Test mutating func segmentsOfOpenConnectionsAreKeptWhenEverythingIs() {
        arrivals.scope = .everything
        for flags: UInt8 in [0x10, 0x18, 0x11, 0x02] { #expect(take(Self.packet4(four, flags: flags)).isEmpty) }
        #expect(take(Self.packet4(IPAddress("10.0.0.1")!, flags: 0x10)).isEmpty)
        #expect(announce(four, by: heir).count == 4)
        #expect(take(Self.packet4(four, flags: 0x10)).count == 1)
    }

    /// What the kernel saw as one segment leaves as several that a link takes, and that together say the same.
    @Test mutating func longSegmentsAreCut() throws {
        arrivals.scope = .everything
        let payload = (0..<10_001).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        _ = take(Self.data4(payload))
        let pieces = announce(four, by: heir).map(\.packet.bytes)
        #expect(pieces.count == 7)
        var sequence: UInt32 = 1
        var bytes: [UInt8] = []
        for (index, piece) in pieces.enumerated() {
            #expect(piece.count <= 1500 && Int(piece[2]) << 8 | Int(piece[3]) == piece.count)
            #expect(piece[24..<28].reduce(0 as UInt32) { $0 << 8 | UInt32($1) } == sequence)
            #expect(piece[33] == (index == pieces.count - 1 ? 0x19 : 0x10), "only the last one ends the connection")
            #expect(Array(piece[40..<52]) == [1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9])
            #expect(Announcement.internetChecksum(Array(piece[..<20])) == 0)
            let length = piece.count - 20
            let pseudoHeader = Array(piece[12..<20]) + [0, 6, UInt8(length >> 8), UInt8(length & 0xff)]
            let padding: [UInt8] = length % 2 == 0 ? [] : [0]
            #expect(Announcement.internetChecksum(pseudoHeader + piece[20...] + padding) == 0)
            bytes += piece[52...]
            sequence += UInt32(piece.count - 52)
        }
        #expect(bytes == payload)
    }

    @Test mutating func onlySoManyBytesAreKept() {
        arrivals.scope = .everything
        let payload = 60_000
        for _ in 0..<HeldArrivals.Limit.bytes / payload + 10 {
            _ = take(Self.data4([UInt8](repeating: 1, count: payload)))
        }
        let kept = announce(four, by: heir).reduce(0) { $0 + $1.packet.bytes.count - 52 }
        #expect(kept / payload == HeldArrivals.Limit.bytes / (payload + 52))
    }

    @Test mutating func noBytesTrap() {
        arrivals.scope = .everything
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
