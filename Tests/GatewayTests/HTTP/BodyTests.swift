import Gateway
import Testing

@Suite struct BodyTests {
    @Test(arguments: [
        (1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (262_144, "40000\r\n"), (Int.max, "7fffffffffffffff\r\n"),
    ])
    func chunkSizeIsWrittenInFrontOfItsData(count: Int, line: String) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ChunkFraming.maximumSizeBytes, alignment: 1)
        defer { buffer.deallocate() }
        let start = ChunkFraming.writeSize(count, endingAt: buffer.count, of: buffer)
        #expect(String(decoding: buffer[start...], as: UTF8.self) == line)
    }

    @Test func countedBodySaysWhatIsMissing() throws {
        let message = Message("hello")
        var decoder = BodyDecoder(.length(8))
        #expect(try message.decode(with: &decoder) == BodyProgress(consumed: 5, data: 0..<5, isComplete: false))
        #expect(decoder.remaining == 3)
        decoder.skip(2)
        #expect(decoder.remaining == 1)
        #expect(try message.decode(with: &decoder) == BodyProgress(consumed: 1, data: 0..<1, isComplete: true))
    }

    @Test func bodyOfNoLengthIsCompleteAtOnce() throws {
        let message = Message("next")
        for framing in [BodyFraming.none, .length(0)] {
            var decoder = BodyDecoder(framing)
            #expect(try message.decode(with: &decoder) == BodyProgress(consumed: 0, data: 0..<0, isComplete: true))
        }
    }

    @Test func bodyUntilCloseIsNeverComplete() throws {
        let message = Message("all of it")
        var decoder = BodyDecoder(.untilClose)
        #expect(try message.decode(with: &decoder) == BodyProgress(consumed: 9, data: 0..<9, isComplete: false))
        #expect(decoder.remaining == nil)
    }

    @Test func decoderThatIsDoneTakesNothingMore() throws {
        var decoder = BodyDecoder(.chunked)
        #expect(try Message("0\r\n\r\nnext").decode(with: &decoder).consumed == 5)
        #expect(try Message("next").decode(with: &decoder) == BodyProgress(consumed: 0, data: 0..<0, isComplete: true))
    }

    @Test func skippingMoreThanThereIsTraps() async {
        await #expect(processExitsWith: .failure) {
            var decoder = BodyDecoder(.length(1))
            decoder.skip(2)
        }
    }

    @Test func everyFaultSaysWhatAndWhere() {
        for fault in HTTPFault.allCases {
            #expect((400...505).contains(fault.status))
            #expect(!"\(fault.reason)".isEmpty)
            #expect("\(fault.section)".hasPrefix("RFC "))
        }
    }
}

extension Message {
    /// Decodes all bytes, in place.
    fileprivate func decode(with decoder: inout BodyDecoder) throws(HTTPFault) -> BodyProgress {
        try decoder.decode(bytes)
    }
}
