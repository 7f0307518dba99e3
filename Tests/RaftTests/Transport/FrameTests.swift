import Posix
import Raft
import Testing

struct FrameTests {
    private let hello = Hello(
        cluster: "demo", from: NodeID(1), to: NodeID(2), incarnation: 7, lane: .bulk)

    private func body(_ frame: [UInt8]) throws -> [UInt8]? {
        var parser = FrameParser()
        parser.bodyLimit = 8 << 20
        parser.append(frame)
        return try parser.next()
    }

    @Test(arguments: 0..<MessageSamples.kinds)
    func everyMessageComesBackAsItWas(kind: Int) throws {
        for seed in 0..<200 as Range<UInt64> {
            var samples = MessageSamples(random: SeededRandom(seed: seed))
            let sent = FrameBody.message(samples.message(kind: kind))
            let received = try FrameBody.decode(try #require(try body(sent.encoded())))
            #expect(received == sent, "seed \(seed)")
        }
    }

    @Test func greetingsComeBackAsTheyWere() throws {
        let bodies: [FrameBody] = [
            .hello(hello), .welcome(Welcome(from: NodeID(2), incarnation: 9)), .refusal("because"), .info([1, 2, 3]),
            .note([4, 5]),
            .removed,
        ]
        for sent in bodies { #expect(try FrameBody.decode(try #require(try body(sent.encoded()))) == sent) }
    }

    @Test func aLongReasonIsCutAtACharacter() throws {
        let sent = FrameBody.refusal(String(repeating: "é", count: 1000))
        guard case .refusal(let reason) = try FrameBody.decode(try #require(try body(sent.encoded()))) else {
            Issue.record("not a refusal")
            return
        }
        #expect(reason.utf8.count <= 512)
        #expect(reason.hasPrefix("éééé"))
    }

    @Test func framesAreCutFromAnyPieces() throws {
        let frames = [FrameBody.info([1]), .info([2, 2]), .hello(hello)].map { $0.encoded() }
        let stream = frames.flatMap { $0 }
        for size in 1...stream.count {
            var parser = FrameParser()
            var found = 0
            for start in Swift.stride(from: 0, to: stream.count, by: size) {
                parser.append(stream[start..<min(start + size, stream.count)])
                while try parser.next() != nil { found += 1 }
            }
            #expect(found == 3, "pieces of \(size)")
        }
    }

    @Test func aWrongChecksumOrSizeIsRefused() throws {
        let frame = FrameBody.info([1, 2, 3]).encoded()
        for offset in 4..<frame.count {
            var damaged = frame
            damaged[offset] ^= 1
            #expect(throws: MalformedBytes.self) { try body(damaged) }
        }
        var parser = FrameParser()
        parser.append([0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0])
        #expect(throws: MalformedBytes.self) { try parser.next() }
        parser = FrameParser()
        parser.append([0, 0, 0, 0, 0, 0, 0, 0])
        #expect(throws: MalformedBytes.self) { try parser.next() }
    }

    @Test func noBytesMakeTheDecoderTrap() {
        for seed in 0..<3000 as Range<UInt64> {
            var samples = MessageSamples(random: SeededRandom(seed: seed))
            _ = try? FrameBody.decode(samples.bytes(upTo: 200))
            // A good message with a few bytes changed gets further into the decoder.
            var bytes = Array(
                FrameBody.message(samples.message(kind: Int(seed) % MessageSamples.kinds)).encoded()[8...])
            for _ in 0...samples.random.next() % 4 {
                bytes[Int(samples.random.next() % UInt64(bytes.count))] = UInt8(
                    truncatingIfNeeded: samples.random.next())
            }
            _ = try? FrameBody.decode(bytes)
            _ = try? FrameBody.decode(Array(bytes.prefix(Int(samples.random.next() % UInt64(bytes.count)))))
        }
    }

    @Test func numbersThatWouldOverflowAreRefused() {
        let bodies: [FrameBody] = [
            .message(.newerTerm(NewerTerm(term: Term(.max)))),
            .message(.heartbeat(Heartbeat(term: Term(1), stamp: .never, commit: LogIndex(.max)))),
            .message(
                .appendRequest(
                    AppendRequest(
                        term: Term(2), previous: LogPosition(term: Term(1), index: LogIndex(4)),
                        entries: [Entry(term: Term(2), index: LogIndex(6), payload: .noop)], commit: .zero))),
            .message(
                .snapshotChunk(
                    SnapshotChunk(
                        term: Term(2), last: .zero, membership: Membership(voters: []), totalBytes: 10, offset: 9,
                        bytes: [1, 2]))),
        ]
        for body in bodies {
            #expect(throws: MalformedBytes.self) { try FrameBody.decode(Array(body.encoded()[8...])) }
        }
    }
}
