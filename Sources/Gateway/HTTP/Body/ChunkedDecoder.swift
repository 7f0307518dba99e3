/// Decodes a chunked body in place, RFC 9112 section 7.1: what stays is data alone.
///
/// Chunk extensions are checked for form and dropped, as a recipient that does not know them must do. Trailer
/// fields are checked and dropped too, which RFC 9110 section 6.5.1 leaves to us: a backend that merged them
/// into the head could be told another length or host than the gateway saw.
package struct ChunkedDecoder: Sendable {
    /// Digits of a chunk size, leading zeros included.
    static let maximumSizeDigits: UInt8 = 15
    /// Extension bytes of a whole body. An extension costs its reader time and carries no data.
    static let maximumExtensionBytes = 4 * 1024
    /// Bytes of the trailer section.
    static let maximumTrailerBytes = 8 * 1024

    private enum State: UInt8 {
        case size, extensions, sizeLineFeed, data, dataCarriageReturn, dataLineFeed
        case trailerStart, trailerName, trailerValue, trailerLineFeed, lastLineFeed, done
    }

    private var state = State.size
    private var sizeDigits: UInt8 = 0
    /// Of the present chunk.
    private var remaining: UInt64 = 0
    private var extensionBytes: UInt16 = 0
    private var trailerBytes: UInt16 = 0

    package init() {}

    /// Decodes from the start of `bytes`, moving the data to the front of it.
    package mutating func decode(_ bytes: UnsafeMutableRawBufferPointer) throws(HTTPFault) -> BodyProgress {
        var read = 0
        var written = 0
        while read < bytes.count, state != .done {
            if state == .data {
                let count = Int(min(remaining, UInt64(bytes.count - read)))
                if written != read { move(bytes, from: read, to: written, count: count) }
                read += count
                written += count
                remaining -= UInt64(count)
                if remaining == 0 { state = .dataCarriageReturn }
            } else {
                try step(bytes[read])
                read += 1
            }
        }
        return BodyProgress(consumed: read, data: 0..<written, isComplete: state == .done)
    }

    private func move(_ bytes: UnsafeMutableRawBufferPointer, from source: Int, to target: Int, count: Int) {
        let data = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[source..<source + count])
        UnsafeMutableRawBufferPointer(rebasing: bytes[target..<target + count]).copyMemory(from: data)
    }

    /// Takes one byte outside of chunk data.
    private mutating func step(_ byte: UInt8) throws(HTTPFault) {
        switch state {
        case .size:
            try size(byte)
        case .extensions:
            try chunkExtension(byte)
        case .sizeLineFeed:
            guard byte == .lineFeed else { throw .bareCarriageReturn }
            sizeDigits = 0
            state = remaining == 0 ? .trailerStart : .data
        case .dataCarriageReturn:
            guard byte == .carriageReturn else { throw .invalidChunkEnd }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == .lineFeed else { throw .invalidChunkEnd }
            state = .size
        case .trailerStart, .trailerName, .trailerValue, .trailerLineFeed, .lastLineFeed:
            try trailer(byte)
        case .data, .done:
            preconditionFailure("no control byte of the framing belongs here")
        }
    }

    private mutating func size(_ byte: UInt8) throws(HTTPFault) {
        if let digit = byte.hexadecimalValue {
            guard sizeDigits < Self.maximumSizeDigits else { throw .chunkSizeOverflow }
            sizeDigits += 1
            remaining = remaining << 4 | UInt64(digit)
            return
        }
        guard sizeDigits > 0 else { throw .invalidChunkSize }
        switch byte {
        case .carriageReturn: state = .sizeLineFeed
        case .semicolon: state = .extensions
        case .lineFeed: throw .bareLineFeed
        default: throw .invalidChunkSize
        }
    }

    private mutating func chunkExtension(_ byte: UInt8) throws(HTTPFault) {
        extensionBytes += 1
        guard extensionBytes <= Self.maximumExtensionBytes else { throw .chunkExtensionTooLong }
        switch byte {
        case .carriageReturn: state = .sizeLineFeed
        case .lineFeed: throw .bareLineFeed
        case .horizontalTab, 0x20...0x7e, 0x80...0xff: break
        default: throw .invalidChunkExtension
        }
    }

    private mutating func trailer(_ byte: UInt8) throws(HTTPFault) {
        trailerBytes += 1
        guard trailerBytes <= Self.maximumTrailerBytes else { throw .trailerTooLarge }
        switch state {
        case .trailerStart where byte == .carriageReturn:
            state = .lastLineFeed
        case .trailerStart:
            guard ByteSet.token.contains(byte) else { throw byte == .lineFeed ? .bareLineFeed : .invalidTrailer }
            state = .trailerName
        case .trailerName where byte == .colon:
            state = .trailerValue
        case .trailerName:
            guard ByteSet.token.contains(byte) else { throw .invalidTrailer }
        case .trailerValue where byte == .carriageReturn:
            state = .trailerLineFeed
        case .trailerValue:
            guard byte >= 0x20 && byte != 0x7f || byte == .horizontalTab else {
                throw byte == .lineFeed ? .bareLineFeed : .invalidTrailer
            }
        case .trailerLineFeed:
            guard byte == .lineFeed else { throw .bareCarriageReturn }
            state = .trailerStart
        case .lastLineFeed:
            guard byte == .lineFeed else { throw .bareCarriageReturn }
            state = .done
        case .size, .extensions, .sizeLineFeed, .data, .dataCarriageReturn, .dataLineFeed, .done:
            preconditionFailure("not within a trailer section")
        }
    }
}
