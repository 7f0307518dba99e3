import Gateway
import Posix
import Testing

private let hardware: [UInt8] = [2, 0, 0, 0, 0, 9]

@Suite struct AnnouncementTests {
    @Test func gratuitousARP() {
        #expect(
            Announcement.gratuitousARP(IPAddress("10.0.0.1")!, hardware: hardware) == [
                0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1,
            ])
    }

    /// The checksum over pseudo-header and message comes to zero (RFC 4443, section 2.3).
    @Test func neighbourAdvertisement() {
        let address = IPAddress("fd00::1")!
        let packet = Announcement.neighbourAdvertisement(address, hardware: hardware)
        #expect(packet.count == 40 + 32)
        #expect(Array(packet[8..<24]) == address.networkBytes)
        #expect(packet[40] == 136)
        #expect(packet[44] == 0x20)
        #expect(Array(packet[48..<64]) == address.networkBytes)
        #expect(Array(packet[64..<72]) == [2, 1] + hardware)
        let pseudoHeader = Array(packet[8..<40]) + [0, 0, 0, 32, 0, 0, 0, 58]
        #expect(Announcement.internetChecksum(pseudoHeader + Array(packet[40...])) == 0)
    }

    @Test func checksumOfTheExampleInRFC1071() {
        #expect(Announcement.internetChecksum([0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]) == ~0xddf2)
    }
}
