import Gateway
import Posix
import Testing

@Suite struct HandoverNoteTests {
    private static func image(_ random: inout RandomSource, bytes: Int) -> TCPConnectionImage {
        let local = SocketAddress(ip: IPAddress("10.0.0.100")!, port: 80)
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

    @Test(arguments: UInt64(1)...50)
    func offersCarryAllConnectionsInTheirOrder(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        let images = (0..<Int(random.below(300))).map { _ in
            Self.image(&random, bytes: Int(random.below(10)) == 0 ? 40_000 : Int(random.below(100)))
        }
        var taken: [TCPConnectionImage] = []
        let notes = HandoverNote.offers(move: 7, images)
        for (index, note) in notes.enumerated() {
            let bytes = note.encoded()
            #expect(bytes.count <= 1 << 20)
            guard case .offer(move: 7, let some, let isLast) = try HandoverNote(decoding: bytes) else {
                Issue.record("not an offer, seed \(seed)")
                return
            }
            #expect(isLast == (index == notes.count - 1))
            taken += some
        }
        #expect(taken == images, "seed \(seed)")
    }

    @Test func theLargestConnectionFitsIntoANote() {
        var random = RandomSource(seed: 1)
        var image = Self.image(&random, bytes: TCPConnectionImage.queueLimit)
        image.unread = Array(repeating: 0, count: TCPConnectionImage.queueLimit)
        #expect(HandoverNote.offers(move: 1, [image]).allSatisfy { $0.encoded().count <= 4 << 20 })
    }

    @Test func whatIsNotANoteIsRefused() throws {
        var random = RandomSource(seed: 1)
        for note in [HandoverNote.taken(move: 1, count: 2)]
            + HandoverNote.offers(
                move: 9, [Self.image(&random, bytes: 9)])
        {
            let bytes = note.encoded()
            #expect(try HandoverNote(decoding: bytes) == note)
            for length in 0..<bytes.count {
                #expect(throws: DecodingFault.self) { try HandoverNote(decoding: Array(bytes.prefix(length))) }
            }
        }
        #expect(throws: DecodingFault.self) { try HandoverNote(decoding: [9, 1]) }
        #expect(throws: DecodingFault.self) { try HandoverNote(decoding: [1, 3]) }
    }

    @Test(arguments: UInt64(1)...200)
    func anyBytesAreHarmless(seed: UInt64) {
        var random = RandomSource(seed: seed)
        for var bytes in HandoverNote.offers(move: seed, [Self.image(&random, bytes: 20)]).map({ $0.encoded() }) {
            for _ in 0..<4 { bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(random.below(256)) }
            _ = try? HandoverNote(decoding: bytes)
        }
    }
}
