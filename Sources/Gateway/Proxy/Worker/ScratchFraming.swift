/// Framing of decoded body bytes where they lie in scratch memory.
enum ScratchFraming {
    /// What framing adds to data at most: a size line, the end of the chunk and the end of the body.
    static let maximumGrowth = ChunkFraming.maximumSizeBytes + 2 + 5

    /// The data of `progress` as it goes on: as it is, or as one chunk, with the last chunk when the body is complete.
    ///
    /// The size line is written in front of `bytes` and the end behind the data: what lay there was consumed, or is
    /// head- or tailroom.
    static func frame(
        _ bytes: UnsafeMutableRawBufferPointer, _ progress: BodyProgress, isChunked: Bool
    ) -> UnsafeRawBufferPointer {
        guard let base = bytes.baseAddress else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        var start = base + progress.data.lowerBound
        var end = base + progress.data.upperBound
        if isChunked {
            if !progress.data.isEmpty {
                let room = UnsafeMutableRawBufferPointer(
                    start: start - ChunkFraming.maximumSizeBytes, count: ChunkFraming.maximumSizeBytes)
                let count = progress.data.count
                start = room.baseAddress! + ChunkFraming.writeSize(count, endingAt: room.count, of: room)
                append(ChunkFraming.dataEnd, &end)
            }
            if progress.isComplete { append(ChunkFraming.bodyEnd, &end) }
        }
        return UnsafeRawBufferPointer(start: start, count: end - start)
    }

    private static func append(_ text: StaticString, _ end: inout UnsafeMutableRawPointer) {
        end.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        end += text.utf8CodeUnitCount
    }
}
