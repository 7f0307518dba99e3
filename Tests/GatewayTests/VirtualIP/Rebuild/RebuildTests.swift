import Gateway
import Posix
import Testing

private let service = IPAddress("10.0.0.100")!

private func record(_ number: UInt16, timestamp: UInt32? = nil) -> ConnectionRecord {
    ConnectionRecord(
        place: UInt32(number), local: SocketAddress(ip: service, port: 80),
        peer: SocketAddress(ip: IPAddress("192.0.2.7")!, port: number),
        rest: .init(
            options: .init(
                maximumSegmentSize: 1460, windowScales: .init(sending: 7, receiving: 5),
                hasSelectiveAcknowledgements: true, timestamp: timestamp),
            // So that the numbers go round.
            sendSequence: .max - 2, receiveSequence: .max - 4))
}

private func busy(_ number: UInt16) -> ConnectionRecord {
    var record = record(number)
    record.rest = nil
    return record
}

extension ConnectionRecord {
    fileprivate var sendSequence: UInt32 { rest?.sendSequence ?? 0 }
    fileprivate var receiveSequence: UInt32 { rest?.receiveSequence ?? 0 }
}

private func answer(
    _ record: ConnectionRecord, sentMore: Int32 = 0, hasMore: Int32 = 0, flags: TCPSegment.Flags = .acknowledgement,
    timestamps: TCPSegment.Timestamps? = nil, payload: Int = 0
) -> TCPSegment {
    TCPSegment(
        from: record.peer.port, to: 80, sequence: record.receiveSequence &+ UInt32(bitPattern: sentMore),
        acknowledgement: record.sendSequence &+ UInt32(bitPattern: hasMore), flags: flags, window: 500,
        timestamps: timestamps, payloadCount: payload)
}

@Suite struct RebuildTests {
    private let start = Instant.zero + .seconds(100)

    private func take(_ rebuild: inout Rebuild, _ segment: TCPSegment, of record: ConnectionRecord) -> Rebuild.Action? {
        rebuild.take(segment, at: record.local.ip, from: record.peer.ip)
    }

    @Test func whoIsWhereTheRecordSaysGoesOn() {
        let one = record(1, timestamp: 50)
        var rebuild = Rebuild([one], at: start)
        #expect(rebuild.turn(at: start) == [.ask(one)])
        let action = take(&rebuild, answer(one, timestamps: .init(value: 9, echo: 777)), of: one)
        guard case .restore(let image, unheard: 0) = action else {
            Issue.record("\(String(describing: action))")
            return
        }
        #expect(image.sendSequence == one.sendSequence && image.receiveSequence == one.receiveSequence)
        #expect(image.options.timestamp == 778, "beyond what the client has seen")
        #expect(image.windows.send == 500 << 7)
        #expect(!rebuild.isOver)
        #expect(rebuild.turn(at: start) == [.unmute(ending: [])])
        #expect(rebuild.isOver && rebuild.nextDeadline == nil)
        #expect(rebuild.turn(at: start) == [])
        #expect(rebuild.tally.restored == 1 && rebuild.tally.ended == 0)
    }

    @Test func whoSentMoreIsHeard() {
        let one = record(1)
        var rebuild = Rebuild([one], at: start)
        _ = rebuild.turn(at: start)
        #expect(take(&rebuild, answer(one, sentMore: 30, payload: 20), of: one) == nil, "says nothing of the rest")
        guard case .restore(_, unheard: 50) = take(&rebuild, answer(one, sentMore: 50), of: one) else {
            Issue.record("not heard")
            return
        }
    }

    /// Each of them would lose bytes, or let bytes be taken twice.
    @Test(arguments: [
        (0, 1), (0, -1), (50, 1), (-1, 0), (UnheardRequest.limit + 1, 0), (Int(Int32.max), 0), (Int(Int32.min), 0),
    ])
    func whoIsElsewhereEnds(sentMore: Int, hasMore: Int) {
        let one = record(1)
        var rebuild = Rebuild([one], at: start)
        _ = rebuild.turn(at: start)
        #expect(take(&rebuild, answer(one, sentMore: Int32(sentMore), hasMore: Int32(hasMore)), of: one) == nil)
        #expect(rebuild.turn(at: start) == [.unmute(ending: [one])])
        #expect(rebuild.isOver && rebuild.tally.ended == 1 && rebuild.tally.restored == 0)
    }

    @Test func whoWasNotAtRestEnds() {
        let (first, second) = (busy(1), busy(2))
        var alone = Rebuild([first, second], at: start)
        #expect(alone.turn(at: start) == [.unmute(ending: [first, second])])
        #expect(alone.isOver && alone.tally.ended == 2)
        #expect(take(&alone, answer(first), of: first) == nil)

        let resting = record(3)
        var mixed = Rebuild([first, resting], at: start)
        #expect(mixed.turn(at: start) == [.ask(resting)])
        #expect(take(&mixed, answer(first), of: first) == nil, "nobody asked")
        #expect(take(&mixed, answer(resting), of: resting) != nil)
        #expect(mixed.turn(at: start) == [.unmute(ending: [first])])
        #expect(mixed.isOver && mixed.tally.ended == 1 && mixed.tally.restored == 1)
    }

    @Test func aTimestampThatIsMissingOrAnEndEnds() {
        let records = [record(1, timestamp: 5), record(2)]
        var rebuild = Rebuild(records, at: start)
        _ = rebuild.turn(at: start)
        #expect(take(&rebuild, answer(records[0]), of: records[0]) == nil)
        #expect(take(&rebuild, answer(records[1], flags: [.acknowledgement, .fin]), of: records[1]) == nil)
        #expect(rebuild.turn(at: start) == [.unmute(ending: records)])
        #expect(rebuild.tally.ended == 2)
    }

    @Test func whoHasNoSuchConnectionIsLeftAlone() {
        let records = [record(1), record(2)]
        var rebuild = Rebuild(records, at: start)
        _ = rebuild.turn(at: start)
        #expect(take(&rebuild, answer(records[0], flags: [.acknowledgement, .reset]), of: records[0]) == nil)
        #expect(take(&rebuild, answer(records[1], flags: .syn), of: records[1]) == nil)
        #expect(rebuild.turn(at: start) == [.unmute(ending: [])])
        #expect(rebuild.isOver && rebuild.tally.gone == 2)
    }

    @Test func silenceIsAskedAgainAndEnds() {
        let one = record(1)
        var rebuild = Rebuild([one], at: start)
        var now = start
        for _ in 0..<Rebuild.Limit.questions {
            #expect(rebuild.turn(at: now) == [.ask(one)])
            #expect(rebuild.nextDeadline == now + Rebuild.Limit.patience)
            now = now + Rebuild.Limit.patience
        }
        #expect(rebuild.turn(at: now) == [.unmute(ending: [one])])
        #expect(rebuild.tally.ended == 1)
        #expect(take(&rebuild, answer(one), of: one) == nil, "too late: its client has been told")
    }

    @Test func nothingIsAnsweredBeforeItWasAskedOrTwice() {
        let one = record(1)
        var rebuild = Rebuild([one], at: start)
        #expect(take(&rebuild, answer(one), of: one) == nil)
        _ = rebuild.turn(at: start)
        #expect(take(&rebuild, answer(one), of: one) != nil)
        #expect(take(&rebuild, answer(one), of: one) == nil)
        #expect(take(&rebuild, answer(record(9)), of: record(9)) == nil, "nobody asked")
    }

    /// Whatever arrives in whatever order: a connection goes on only where the record says, each has one end, and clients
    /// are not left without a word for long.
    @Test(arguments: UInt64(1)...200)
    func anyOrder(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let count = 1 + random.below(600)
        let records = (0..<count).map { random.below(8) == 0 ? busy(UInt16($0 + 1)) : record(UInt16($0 + 1)) }
        var rebuild = Rebuild(records, at: start)
        var now = start
        var restored: Set<ConnectionRecord.Flow> = []
        var ended: Set<ConnectionRecord.Flow> = []
        while !rebuild.isOver {
            let actions = rebuild.turn(at: now)
            #expect(actions.count <= max(2 * Int(count) + 1, Rebuild.Limit.burst))
            for action in actions {
                switch action {
                case .ask(let record): #expect(record.rest != nil, "seed \(seed)")
                case .restore: Issue.record("without an answer, seed \(seed)")
                case .unmute(let ending): ended = Set(ending.map(\.flow))
                }
            }
            for _ in 0..<random.below(80) {
                let one = records[Int(random.below(count))]
                let sentMore = random.below(2) == 0 ? 0 : Int32(bitPattern: random.below(.max))
                let hasMore = random.below(2) == 0 ? 0 : Int32(random.below(3)) - 1
                let flags = TCPSegment.Flags(rawValue: random.below(3) == 0 ? UInt8(random.below(32)) : 0x10)
                let segment = answer(
                    one, sentMore: sentMore, hasMore: hasMore, flags: flags, payload: Int(random.below(2)))
                guard case .restore(let image, let unheard) = take(&rebuild, segment, of: one) else { continue }
                #expect(
                    !rebuild.isOver && one.rest != nil && hasMore == 0 && unheard == sentMore
                        && segment.payloadCount == 0,
                    "seed \(seed)")
                #expect(image.peer == one.peer && restored.insert(one.flow).inserted, "seed \(seed)")
            }
            now = now + .milliseconds(UInt64(random.below(50)))
            #expect(now < start + .seconds(1), "seed \(seed)")
        }
        #expect(restored.isDisjoint(with: ended), "seed \(seed)")
        #expect(restored.count == rebuild.tally.restored && ended.count == rebuild.tally.ended, "seed \(seed)")
        #expect(restored.count + ended.count + rebuild.tally.gone == Int(count), "seed \(seed)")
    }
}

@Suite struct UnheardRequestTests {
    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        "DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n",
        // Nobody can have done anything with these.
        "", "P", "POST / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r",
    ])
    func isTaken(_ text: String) { #expect(UnheardRequest.mayBeTaken(Array(text.utf8))) }

    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "PATCH / HTTP/1.1\r\nHost: a\r\n\r\n",
        "get / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n",
        // More than one request, or a body of which some is there.
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\nG",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
    ])
    func isNot(_ text: String) { #expect(!UnheardRequest.mayBeTaken(Array(text.utf8))) }
}
