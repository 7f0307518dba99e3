import Gateway
import Posix
import Raft
import Testing

private let four = IPAddress("10.0.0.100")!
private let six = IPAddress("fd00::100")!

private func record(_ place: UInt32, to address: IPAddress = four, send: UInt32 = 1) -> ConnectionRecord {
    let peer = address.isIPv4 ? IPAddress("192.0.2.7")! : IPAddress("fd00::9")!
    return ConnectionRecord(
        place: place, local: SocketAddress(ip: address, port: 80),
        peer: SocketAddress(ip: peer, port: UInt16(place % 60_000)),
        rest: .init(
            options: .init(
                maximumSegmentSize: 1440, windowScales: place % 2 == 0 ? nil : .init(sending: 7, receiving: 14),
                hasSelectiveAcknowledgements: place % 3 == 0, timestamp: place % 5 == 0 ? place : nil),
            sendSequence: send, receiveSequence: .max))
}

private func busy(_ place: UInt32) -> ConnectionRecord {
    var record = record(place)
    record.rest = nil
    return record
}

@Suite struct SharedConnectionsTests {
    private let start = Instant.zero + .seconds(100)

    @Test func theLatestRecordOfAPlaceCounts() {
        var shared = SharedConnections()
        #expect(shared.take([record(1), record(2)], from: NodeID(1), at: start) == 0)
        #expect(shared.take([record(1, send: 5)], from: NodeID(1), at: start + .seconds(1)) == 0)
        #expect(shared.count == 2 && shared.addresses == [four])
        let taken = shared.take(to: [four], at: start + .seconds(2)).records
        #expect(Set(taken) == [record(1, send: 5), record(2)])
        #expect(shared.count == 0)
    }

    @Test func theLatestOfTwoNodesCounts() {
        var shared = SharedConnections()
        _ = shared.take([record(1, send: 9)], from: NodeID(2), at: start + .seconds(1))
        _ = shared.take([record(1)], from: NodeID(1), at: start)
        #expect(shared.take(to: [four], at: start + .seconds(2)).records == [record(1, send: 9)])
    }

    /// By the latest that is known of each.
    @Test func thoseThatCanGoOnAreCounted() {
        var shared = SharedConnections()
        _ = shared.take([record(1), busy(2), record(3, to: six)], from: NodeID(1), at: start)
        _ = shared.take([record(4)], from: NodeID(2), at: start)
        #expect(shared.count == 4 && shared.resting == 3)
        _ = shared.take([busy(1), record(2)], from: NodeID(1), at: start)
        #expect(shared.resting == 3)
        _ = shared.take([busy(2)], from: NodeID(1), at: start)
        #expect(shared.resting == 2)
        shared.bequeath(from: NodeID(2))
        #expect(shared.resting == 1)
        shared.forget(to: [six])
        #expect(shared.count == 3 && shared.resting == 0)
        _ = shared.take([record(5), record(6, to: six)], from: NodeID(1), at: start)
        _ = shared.take(to: [four], at: start)
        #expect(shared.count == 1 && shared.resting == 1)
        _ = shared.take([], from: NodeID(1), at: start + SharedConnections.lifetime)
        #expect(shared.count == 0 && shared.resting == 0)
    }

    @Test func onlyTheAddressesThatWereTaken() {
        var shared = SharedConnections()
        _ = shared.take([record(1), record(2, to: six)], from: NodeID(1), at: start)
        #expect(shared.take(to: [six], at: start).records == [record(2, to: six)])
        #expect(shared.count == 1)
    }

    @Test func whatIsNotRenewedIsForgotten() {
        var shared = SharedConnections()
        _ = shared.take([record(1)], from: NodeID(1), at: start)
        let later = start + SharedConnections.lifetime
        #expect(shared.take([record(2)], from: NodeID(1), at: later) == 0)
        #expect(shared.count == 1)
        #expect(shared.take(to: [four], at: later + SharedConnections.lifetime).records == [])
    }

    @Test func whatMovedIsForgotten() {
        var shared = SharedConnections()
        _ = shared.take([record(1), record(2, to: six)], from: NodeID(1), at: start)
        // It had the address before the other one.
        _ = shared.take([record(1), record(3)], from: NodeID(2), at: start)
        shared.forget(to: [four])
        #expect(shared.take(to: [four, six], at: start).records == [record(2, to: six)])
    }

    @Test func whatAKilledGatewayLeavesIsKeptApart() {
        var shared = SharedConnections()
        _ = shared.take([record(1), record(3)], from: NodeID(1), at: start)
        _ = shared.take([record(2)], from: NodeID(2), at: start)
        shared.bequeath(from: NodeID(1))
        // Its next process has another connection at that place.
        _ = shared.take([record(3, send: 9)], from: NodeID(1), at: start)
        let taken = shared.take(to: [four], at: start)
        #expect(taken.bequeathed == [record(1)])
        #expect(Set(taken.records) == [record(2), record(3, send: 9)])
        #expect(shared.count == 0)
    }

    @Test func memoryIsBounded() {
        var shared = SharedConnections()
        let all = (0..<UInt32(SharedConnections.capacity)).map { record($0) }
        #expect(shared.take(all, from: NodeID(1), at: start) == 0)
        #expect(shared.take([record(1), record(2)], from: NodeID(2), at: start) == 2)
        #expect(shared.take([record(7, send: 3)], from: NodeID(1), at: start) == 0, "in place of another")
        #expect(shared.count == SharedConnections.capacity)
    }
}

@Suite struct ConnectionRecordTests {
    private let records = ConnectionRecords((0..<30).map { record($0, to: $0 % 2 == 0 ? four : six) } + [busy(31)])

    @Test func roundTripWithinANote() throws {
        #expect(try ConnectionRecords(decoding: records.encoded()) == records)
        let many = ConnectionRecords((0..<UInt32(ConnectionRecords.limit)).map { record($0) })
        let note = HandoverNote.shared(many.encoded())
        #expect(note.encoded().count <= 1 << 20)
        guard case .shared(let bytes) = try HandoverNote(decoding: note.encoded()) else {
            Issue.record("another note")
            return
        }
        #expect(try ConnectionRecords(decoding: bytes) == many)
    }

    @Test func whatIsNoRecordIsRefused() throws {
        let bytes = records.encoded()
        for length in 0..<bytes.count {
            #expect(throws: DecodingFault.self) { try ConnectionRecords(decoding: Array(bytes.prefix(length))) }
        }
        #expect(throws: DecodingFault.self) { try ConnectionRecords(decoding: bytes + [0]) }
        let tooMany = ConnectionRecords((0...UInt32(ConnectionRecords.limit)).map { record($0) })
        #expect(throws: DecodingFault.self) { try ConnectionRecords(decoding: tooMany.encoded()) }
    }

    @Test(arguments: UInt64(1)...300)
    func anyBytesAreHarmless(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var bytes = records.encoded()
        for _ in 0..<4 { bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(random.below(256)) }
        guard let decoded = try? ConnectionRecords(decoding: bytes) else { return }
        for record in decoded.records {
            #expect(record.local.ip.isIPv4 == record.peer.ip.isIPv4, "seed \(seed)")
            #expect((record.rest?.options.windowScales?.sending ?? 0) <= 14, "seed \(seed)")
        }
    }
}

@Suite struct TCPSegmentTests {
    @Test func roundTrip() throws {
        for timestamps in [nil, TCPSegment.Timestamps(value: 0x0102_0304, echo: .max)] {
            let segment = TCPSegment(
                from: 80, to: 40_001, sequence: 0x8000_0001, acknowledgement: 7, flags: [.acknowledgement, .fin],
                window: 9,
                timestamps: timestamps, payloadCount: 3)
            let bytes = segment.encoded(from: four, to: IPAddress("192.0.2.7")!)
            #expect(TCPSegment(parsing: bytes[...], total: bytes.count) == segment)
        }
    }

    /// A checksum over what carries the right one comes to zero (RFC 1071).
    @Test(arguments: [four, six], 0...1)
    func checksum(_ address: IPAddress, payload: Int) {
        let segment = TCPSegment(
            from: 80, to: 40_001, sequence: 0x8000_0001, acknowledgement: 7, window: 9, payloadCount: payload)
        let bytes = segment.encoded(from: address, to: address)
        let pseudoHeader = address.networkBytes + address.networkBytes + [0, 6, 0, UInt8(bytes.count)]
        #expect(Announcement.internetChecksum(pseudoHeader + bytes + [UInt8](repeating: 0, count: payload)) == 0)
    }

    @Test func aClientIsAskedByAByteThatItHas() {
        let one = record(10)
        let question = TCPSegment(asking: one)
        #expect(question.sequence == one.rest.map { $0.sendSequence &- 1 } && question.payloadCount == 1)
        #expect(question.timestamps?.value == 10)
        #expect(TCPSegment(asking: record(1)).timestamps == nil)
    }

    /// A byte at an unknown place could be taken for one of the connection.
    @Test func aClientOfWhomNothingIsKnownIsAskedByNoByte() {
        let question = TCPSegment(asking: busy(10))
        #expect(question.flags == .syn && question.payloadCount == 0)
        #expect(question.sourcePort == 80 && question.destinationPort == 10)
    }

    @Test(arguments: UInt64(1)...500)
    func anyBytesAreHarmless(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let bytes = (0..<random.below(80)).map { _ in UInt8(random.below(256)) }
        guard let segment = TCPSegment(parsing: bytes[...], total: Int(random.below(1600))) else { return }
        #expect(segment.payloadCount >= 0, "seed \(seed)")
    }
}
