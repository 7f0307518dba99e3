import Gateway
import Posix
import Testing

private func image(_ port: UInt16) -> TCPConnectionImage {
    TCPConnectionImage(
        local: SocketAddress(ip: IPAddress("10.0.0.100")!, port: 80),
        peer: SocketAddress(ip: IPAddress("192.0.2.7")!, port: port),
        options: .init(
            maximumSegmentSize: 1460, windowScales: nil, hasSelectiveAcknowledgements: true, timestamp: nil),
        windows: .init(sendWL1: 1, send: 2, largest: 3, receive: 4, receiveUpdatedAt: 5),
        sendSequence: 6, unacknowledged: [], unsentCount: 0, receiveSequence: 7, unread: [1])
}

@Suite struct LegacyTests {
    private let legacy = Legacy([image(1), image(2)], open: Set([1, 2, 3, 4].map { image($0).flow }))

    @Test func whatDoesNotGoOnEnds() {
        #expect(Set(legacy.ended.map(\.peer.port)) == [3, 4])
        #expect(Set(legacy.endings(goingOn: [image(1).flow, image(2).flow]).map(\.peer.port)) == [3, 4])
        #expect(Set(legacy.endings(goingOn: [image(2).flow]).map(\.peer.port)) == [1, 3, 4], "it could not be made")
    }

    @Test func ofTooManyAPartIsNamed() {
        let many = (0...SharedConnections.capacity).map { number in
            ConnectionRecord.Flow(
                local: SocketAddress(ip: IPAddress("10.0.0.100")!, port: number > 60_000 ? 81 : 80),
                peer: SocketAddress(ip: IPAddress("192.0.2.7")!, port: UInt16(number % 60_001)))
        }
        #expect(Legacy([], open: Set(many)).ended.count == SharedConnections.capacity)
    }

    @Test func itTravelsAsAWholeOrNotAtAll() throws {
        let bytes = legacy.encoded()
        #expect(try Legacy(decoding: bytes) == legacy)
        #expect(throws: DecodingFault.self) { try Legacy(decoding: bytes + [0]) }
        for count in bytes.indices {
            #expect(throws: DecodingFault.self) { try Legacy(decoding: Array(bytes.prefix(count))) }
        }
    }
}
