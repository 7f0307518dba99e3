import Gateway
import Posix
import Raft
import Testing

private func at(_ milliseconds: UInt64) -> Instant { .zero + .milliseconds(milliseconds) }

@Suite struct BequestNoteTests {
    private let key = NoticeKey(first: 1, second: 2)
    private let notes: [BequestNote] = [
        BequestNote(node: NodeID(1), term: Term(4), .ask(holder: NodeID(2), term: Term(5), offset: 2400, count: 64)),
        BequestNote(node: NodeID(1), term: Term(4), .part(offset: 1200, total: 1203, [1, 2, 3])),
        BequestNote(node: NodeID(1), term: Term(4), .taken(holder: NodeID(2))),
    ]

    @Test func signedOnesAreRead() {
        for note in notes { #expect(BequestNote(note.encoded(key: key)) { $0 == NodeID(1) ? key : nil } == note) }
    }

    @Test func anythingElseIsNot() {
        for note in notes {
            let bytes = note.encoded(key: key)
            #expect(BequestNote(bytes) { _ in nil } == nil)
            #expect(BequestNote(bytes) { _ in NoticeKey(first: 1, second: 3) } == nil)
            #expect(BequestNote(bytes + [0]) { _ in key } == nil)
            for position in bytes.indices {
                var forged = bytes
                forged[position] ^= 1
                #expect(BequestNote(forged) { _ in key } == nil)
                #expect(BequestNote(Array(bytes.prefix(position))) { _ in key } == nil)
            }
        }
    }

    @Test func aPartIsOnePacket() {
        let part = [UInt8](repeating: 0, count: BequestNote.partBytes)
        let note = BequestNote(node: NodeID(1), term: Term(1), .part(offset: 0, total: .max, part))
        #expect(note.encoded(key: key).count <= BequestNote.datagramLimit)
    }
}

@Suite struct BequestReceiptTests {
    private let description = (0..<200_001).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }

    private func parts(of question: BequestReceipt.Question) -> [(offset: UInt32, bytes: [UInt8])] {
        (0..<Int(question.count)).compactMap { index in
            let offset = Int(question.offset) + index * BequestNote.partBytes
            guard offset < description.count else { return nil }
            return (UInt32(offset), Array(description[offset...].prefix(BequestNote.partBytes)))
        }
    }

    @Test func withoutLossesNobodyWaits() throws {
        var receipt = BequestReceipt(at: at(0))
        var questions = 0
        while receipt.whole == nil {
            let next = receipt.due(at: at(0))
            let question = try #require(next, "the next question is due as soon as the last is answered")
            questions += 1
            #expect(receipt.due(at: at(0)) == nil)
            for part in parts(of: question) {
                receipt.take(offset: part.offset, total: UInt32(description.count), part.bytes, at: at(0))
            }
        }
        #expect(receipt.whole == description)
        #expect(questions == 3)
        #expect(receipt.due(at: at(1000)) == nil)
    }

    @Test(arguments: UInt64(1)...50)
    func lostRepeatedAndReorderedPartsDoNotMatter(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var receipt = BequestReceipt(at: at(0))
        var now: UInt64 = 0
        while receipt.whole == nil, now < 10_000 {
            now += 1
            guard let question = receipt.due(at: at(now)), random.below(4) > 0 else { continue }
            var parts = parts(of: question).filter { _ in random.below(3) > 0 }
            parts += parts.filter { _ in random.below(4) == 0 }
            for _ in 0..<parts.count {
                parts.swapAt(Int(random.below(UInt32(parts.count))), Int(random.below(UInt32(parts.count))))
            }
            for part in parts {
                receipt.take(offset: part.offset, total: UInt32(description.count), part.bytes, at: at(now))
            }
        }
        #expect(receipt.whole == description)
    }

    @Test func whatDoesNotFitIsIgnored() {
        var receipt = BequestReceipt(at: at(0))
        receipt.take(offset: 0, total: .max, [1], at: at(0))
        receipt.take(offset: 0, total: 0, [], at: at(0))
        #expect(receipt.whole == nil)
        receipt.take(offset: 0, total: 3, [1, 2], at: at(0))
        receipt.take(offset: 1, total: 3, [2, 3], at: at(0))
        receipt.take(offset: 1200, total: 3, [1, 2, 3], at: at(0))
        #expect(receipt.whole == nil)
        receipt.take(offset: 0, total: 4, [1, 2, 3, 4], at: at(0))
        #expect(receipt.whole == nil, "the total was told before")
        receipt.take(offset: 0, total: 3, [1, 2, 3], at: at(0))
        #expect(receipt.whole == [1, 2, 3])
    }
}
