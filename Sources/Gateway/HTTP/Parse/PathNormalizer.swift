/// Brings a path into the one form that is both routed by and forwarded, so that the gateway and a backend can
/// not disagree about what was asked for.
///
/// - Percent-encoded unreserved characters are decoded, other encodings get upper-case digits (RFC 3986 6.2.2).
/// - Dot segments are removed (RFC 3986 5.2.4), repeated slashes are merged.
/// - An encoded slash or backslash stays encoded, since it is data (RFC 3986 2.2; registries and forges use it).
///   Refused are `.` and `..` next to one: a backend that decodes first would climb out of the routed prefix.
/// - An encoded NUL is refused.
///
/// The result is never longer than the input, so it replaces it in place.
enum PathNormalizer {
    /// Normalises `buffer[slice]`, which starts with a slash; returns what is left of it.
    static func normalize(
        _ buffer: UnsafeMutableRawBufferPointer, _ slice: ByteSlice
    ) throws(ParseStop) -> ByteSlice {
        var output = Output(buffer: buffer, start: slice.start)
        var read = slice.start + 1
        while read < slice.end {
            let byte = buffer[read]
            read += 1
            switch byte {
            case .slash:
                try output.endPiece(encodedSeparator: false)
                output.endSegment(withSlash: true)
            case .percent:
                guard read + 2 <= slice.end, let high = buffer[read].hexadecimalValue,
                    let low = buffer[read + 1].hexadecimalValue
                else { throw .fault(.invalidPath) }
                read += 2
                try output.append(encoded: high << 4 | low)
            default:
                output.append(byte)
            }
        }
        try output.endPiece(encodedSeparator: false)
        output.endSegment(withSlash: false)
        return ByteSlice(from: slice.start, to: output.end)
    }

    /// The written part: whole segments, then the segment that is being written. A segment consists of pieces,
    /// divided by encoded slashes.
    private struct Output {
        let buffer: UnsafeMutableRawBufferPointer
        let start: Int
        var end: Int
        var segmentStart: Int
        var pieceStart: Int
        var pieceFollowsEncoded = false

        /// The slash at `start` is already in its place.
        init(buffer: UnsafeMutableRawBufferPointer, start: Int) {
            self.buffer = buffer
            self.start = start
            end = start + 1
            segmentStart = end
            pieceStart = end
        }

        mutating func append(_ byte: UInt8) {
            buffer[end] = byte
            end += 1
        }

        mutating func append(encoded value: UInt8) throws(ParseStop) {
            guard value != 0 else { throw .fault(.invalidPath) }
            if ByteSet.unreserved.contains(value) { return append(value) }
            let isSeparator = value == .slash || value == 0x5c
            if isSeparator { try endPiece(encodedSeparator: true) }
            append(.percent)
            append(hexadecimalDigit(value >> 4))
            append(hexadecimalDigit(value & 15))
            if isSeparator { pieceStart = end }
        }

        mutating func endPiece(encodedSeparator: Bool) throws(ParseStop) {
            if encodedSeparator || pieceFollowsEncoded, isDots(from: pieceStart) != .none {
                throw .fault(.invalidPath)
            }
            pieceFollowsEncoded = encodedSeparator
        }

        mutating func endSegment(withSlash: Bool) {
            switch isDots(from: segmentStart) {
            case .one:
                end = segmentStart
            case .two:
                end = segmentStart
                if end > start + 1 {
                    end -= 1
                    while buffer[end - 1] != .slash { end -= 1 }
                }
            case .none:
                if withSlash, end > segmentStart { append(.slash) }
            }
            segmentStart = end
            pieceStart = end
        }

        private enum Dots { case none, one, two }

        private func isDots(from pieceStart: Int) -> Dots {
            switch end - pieceStart {
            case 1: buffer[pieceStart] == .period ? .one : .none
            case 2: buffer[pieceStart] == .period && buffer[pieceStart + 1] == .period ? .two : .none
            default: .none
            }
        }

        private func hexadecimalDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x41 + value - 10 }
    }
}
