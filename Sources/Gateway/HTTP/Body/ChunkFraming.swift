/// The framing of chunks that we write, RFC 9112 section 7.1.
package enum ChunkFraming {
    /// Room to leave in front of data for `writeSize`.
    package static let maximumSizeBytes = 18
    /// Goes behind the data of each chunk.
    package static let dataEnd: StaticString = "\r\n"
    /// Goes behind the last chunk: a chunk of size zero and an empty trailer section.
    package static let bodyEnd: StaticString = "0\r\n\r\n"

    /// Writes the size line of a chunk of `count` > 0 bytes so that it ends at `index` of `buffer`; returns where it
    /// begins. There must be `maximumSizeBytes` in front of `index`.
    package static func writeSize(_ count: Int, endingAt index: Int, of buffer: UnsafeMutableRawBufferPointer) -> Int {
        precondition(count > 0, "a chunk of no data would end the body")
        var start = index - 2
        buffer[start] = .carriageReturn
        buffer[start + 1] = .lineFeed
        var rest = count
        while rest > 0 {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            start -= 1
            buffer[start] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
            rest >>= 4
        }
        return start
    }
}
