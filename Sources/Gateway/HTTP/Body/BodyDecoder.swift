/// What one look at incoming body bytes brought.
package struct BodyProgress: Hashable, Sendable {
    /// Bytes that belonged to the body, framing included; what follows them is another message.
    package var consumed: Int
    /// Where the data lies now, within the bytes that were looked at.
    package var data: Range<Int>
    package var isComplete: Bool

    package init(consumed: Int, data: Range<Int>, isComplete: Bool) {
        self.consumed = consumed
        self.data = data
        self.isComplete = isComplete
    }
}

/// Finds the end of a message body and frees its data from framing.
package struct BodyDecoder: Sendable {
    private enum Mode {
        case counted(remaining: UInt64)
        case chunked(ChunkedDecoder)
        case untilClose
    }

    private var mode: Mode

    package init(_ framing: BodyFraming) {
        mode =
            switch framing {
            case .none: .counted(remaining: 0)
            case .length(let count): .counted(remaining: count)
            case .chunked: .chunked(ChunkedDecoder())
            case .untilClose: .untilClose
            }
    }

    /// Takes the bytes that came next. Chunked bodies are compacted in place.
    package mutating func decode(_ bytes: UnsafeMutableRawBufferPointer) throws(HTTPFault) -> BodyProgress {
        switch mode {
        case .counted(let remaining):
            let count = Int(min(remaining, UInt64(bytes.count)))
            mode = .counted(remaining: remaining - UInt64(count))
            return BodyProgress(consumed: count, data: 0..<count, isComplete: UInt64(count) == remaining)
        case .chunked(var decoder):
            let progress = try decoder.decode(bytes)
            mode = .chunked(decoder)
            return progress
        case .untilClose:
            return BodyProgress(consumed: bytes.count, data: 0..<bytes.count, isComplete: false)
        }
    }

    /// Counts bytes that went by without being looked at (splice). Only for bodies of a known length.
    package mutating func skip(_ count: UInt64) {
        guard case .counted(let remaining) = mode, count <= remaining else {
            preconditionFailure("skipped \(count) bytes that the body does not have")
        }
        mode = .counted(remaining: remaining - count)
    }

    /// Whether only the end of the connection ends the body.
    package var isUntilClose: Bool {
        switch mode {
        case .untilClose: true
        case .counted, .chunked: false
        }
    }

    /// Bytes that are known to be missing; nil unless the length was stated.
    package var remaining: UInt64? {
        switch mode {
        case .counted(let remaining): remaining
        case .chunked, .untilClose: nil
        }
    }
}
