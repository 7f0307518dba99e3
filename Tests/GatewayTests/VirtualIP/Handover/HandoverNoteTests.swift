import Gateway
import Posix
import Testing

@Suite struct HandoverNoteTests {
    private static let addresses = [IPAddress("10.0.0.100")!, IPAddress("fd00::100")!]

    private static func image(_ random: inout RandomSource, bytes: Int) -> TCPConnectionImage {
        let local = SocketAddress(ip: addresses[0], port: 80)
        let number = { (random: inout RandomSource) in random.below(.max) }
        return TCPConnectionImage(
            local: local, peer: SocketAddress(ip: IPAddress("192.0.2.7")!, port: UInt16(random.below(65536))),
            options: .init(
                maximumSegmentSize: 1460, windowScales: random.below(2) == 0 ? nil : .init(sending: 7, receiving: 14),
                hasSelectiveAcknowledgements: random.below(2) == 0,
                timestamp: random.below(2) == 0 ? nil : number(&random)),
            windows: .init(
                sendWL1: number(&random), send: number(&random), largest: number(&random), receive: number(&random),
                receiveUpdatedAt: number(&random)),
            sendSequence: number(&random), unacknowledged: Array(repeating: 1, count: bytes), unsentCount: bytes / 2,
            receiveSequence: number(&random), unread: Array(repeating: 2, count: bytes / 3))
    }

    private static func left(_ number: UInt32) -> ConnectionRecord.Flow {
        ConnectionRecord.Flow(
            local: SocketAddress(ip: addresses[1], port: 80),
            peer: SocketAddress(ip: IPAddress("fd00::7")!, port: UInt16(number)))
    }

    @Test(arguments: UInt64(1)...50)
    func offersCarryAllConnectionsInTheirOrder(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        let images = (0..<Int(random.below(300))).map { _ in
            Self.image(&random, bytes: Int(random.below(10)) == 0 ? 40_000 : Int(random.below(100)))
        }
        var taken: [TCPConnectionImage] = []
        let left = (0..<random.below(5000)).map(Self.left)
        let offers = HandoverOffer.all(move: 7, of: Self.addresses, images, left: left)
        for (index, offer) in offers.enumerated() {
            let bytes = HandoverNote.offer(offer).encoded()
            #expect(bytes.count <= 1 << 20)
            #expect(try HandoverNote(decoding: bytes) == .offer(offer))
            #expect(offer.move == 7 && offer.addresses == Self.addresses)
            #expect(offer.isLast == (index == offers.count - 1))
            #expect(offer.left.map(\.flow) == (offer.isLast ? Array(left.prefix(ConnectionRecords.limit)) : []))
            #expect(offer.left.allSatisfy { $0.rest == nil } && Set(offer.left.map(\.place)).count == offer.left.count)
            taken += offer.images
        }
        #expect(taken == images, "seed \(seed)")
    }

    /// A client may have made the one that goes along from the port of one that had ended.
    @Test func whatGoesAlongIsNotLeft() {
        var random = RandomSource(seed: 1)
        let image = Self.image(&random, bytes: 9)
        let offers = HandoverOffer.all(move: 7, of: Self.addresses, [image], left: [image.flow, Self.left(1)])
        #expect(offers.map(\.left) == [ConnectionRecord.all(of: [Self.left(1)])])
    }

    @Test func theLargestConnectionFitsIntoANote() {
        var random = RandomSource(seed: 1)
        var image = Self.image(&random, bytes: TCPConnectionImage.queueLimit)
        image.unread = Array(repeating: 0, count: TCPConnectionImage.queueLimit)
        for offer in HandoverOffer.all(move: 1, of: Self.addresses, [image]) {
            #expect(HandoverNote.offer(offer).encoded().count <= 4 << 20)
        }
    }

    @Test func whatIsNotANoteIsRefused() throws {
        var random = RandomSource(seed: 1)
        for note in [HandoverNote.taken(move: 1, count: 2), .withdrawn(move: 3), .forsaken([7, 8])]
            + HandoverOffer.all(
                move: 9, of: Self.addresses, [Self.image(&random, bytes: 9)], left: [Self.left(1)]
            ).map(HandoverNote.offer)
        {
            let bytes = note.encoded()
            #expect(try HandoverNote(decoding: bytes) == note)
            for length in 0..<bytes.count {
                #expect(throws: DecodingFault.self) { try HandoverNote(decoding: Array(bytes.prefix(length))) }
            }
        }
        #expect(throws: DecodingFault.self) { try HandoverNote(decoding: [9, 1]) }
        #expect(throws: DecodingFault.self) { try HandoverNote(decoding: [5, 6]) }
    }

    /// Bytes that were on their way would be unknown to whoever goes on by the record.
    @Test func aRecordOfWhatIsHandedOverKnowsWhetherItRests() {
        var random = RandomSource(seed: 1)
        let resting = Self.image(&random, bytes: 0)
        let record = ConnectionRecord(resting, place: 5)
        #expect(record.place == 5 && record.flow == .init(local: resting.local, peer: resting.peer))
        #expect(record.rest?.options == resting.options)
        #expect(record.rest?.sendSequence == resting.sendSequence)
        #expect(record.rest?.receiveSequence == resting.receiveSequence)
        var unread = resting
        unread.unread = [1]
        var unacknowledged = resting
        unacknowledged.unacknowledged = [1]
        for busy in [unread, unacknowledged] { #expect(ConnectionRecord(busy, place: 5).rest == nil) }
    }

    @Test func manyConnectionsAreNamedInSeveralNotes() throws {
        let flows = (1...UInt16(ConnectionRecords.limit + 1)).map { port in
            ConnectionRecord.Flow(
                local: SocketAddress(ip: Self.addresses[0], port: 80),
                peer: SocketAddress(ip: IPAddress("192.0.2.7")!, port: port))
        }
        let notes = ConnectionRecords.notes(of: flows)
        #expect(notes.map(\.records.count) == [ConnectionRecords.limit, 1])
        let decoded = try notes.flatMap { try ConnectionRecords(decoding: $0.encoded()).records }
        #expect(decoded.map(\.flow) == flows && decoded.allSatisfy { $0.rest == nil })
        #expect(ConnectionRecords.notes(of: []).isEmpty)
    }

    @Test func connectionsToOtherAddressesAreRefused() {
        var random = RandomSource(seed: 1)
        let (moved, left) = ([Self.image(&random, bytes: 9)], [Self.left(1)])
        for offer in HandoverOffer.all(move: 1, of: [Self.addresses[1]], moved)
            + HandoverOffer.all(move: 1, of: [Self.addresses[0]], moved, left: left)
        {
            #expect(throws: DecodingFault.self) { try HandoverNote(decoding: HandoverNote.offer(offer).encoded()) }
        }
    }

    @Test(arguments: UInt64(1)...200)
    func anyBytesAreHarmless(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let image = Self.image(&random, bytes: 20)
        for offer in HandoverOffer.all(move: seed, of: Self.addresses, [image], left: [Self.left(9)]) {
            var bytes = HandoverNote.offer(offer).encoded()
            for _ in 0..<4 { bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(random.below(256)) }
            _ = try? HandoverNote(decoding: bytes)
        }
    }
}
