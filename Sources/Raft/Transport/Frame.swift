/// The outer form of everything on a connection between nodes: body length 4 · CRC32C of the body 4 · body.
/// The body's first byte is its kind.
package enum Frame {
    static let headerSize = 8
    /// The largest body once both sides have greeted: an append with one entry of the largest size and its envelope.
    package static let bodyLimit = CodingLimit.commandBytes + (1 << 20)
    /// The largest body before that.
    package static let greetingLimit = 1 << 10

    package static func wrap(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(UInt64(0))
        body(&writer)
        writer.patch(UInt32(writer.count - headerSize), at: 0)
        writer.patch(Checksum.of(writer.bytes, in: headerSize..<writer.count), at: 4)
        return writer.bytes
    }
}

/// Cuts a stream of bytes into frame bodies.
package struct FrameParser: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0
    /// The largest body accepted.
    package var bodyLimit = Frame.greetingLimit

    package init() {}

    /// What is there begins as a handshake of TLS does (RFC 8446, section 5.1).
    var beginsAsTLS: Bool { bytes.count - start > 1 && bytes[start] == 22 && bytes[start + 1] == 3 }

    package mutating func append(_ received: some Collection<UInt8>) {
        if start > 0, start >= bytes.count / 2 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(contentsOf: received)
    }

    /// The next whole body, nil when more bytes are needed.
    package mutating func next() throws(MalformedBytes) -> [UInt8]? {
        var reader = ByteReader(bytes, in: start..<bytes.count)
        guard reader.remaining >= Frame.headerSize else { return nil }
        let length = Int(try reader.readUInt32())
        let checksum = try reader.readUInt32()
        guard length > 0, length <= bodyLimit else {
            throw MalformedBytes(at: 0, expected: "a frame of 1 to \(bodyLimit) bytes, not \(length)")
        }
        guard reader.remaining >= length else { return nil }
        let body = try reader.readRaw(length)
        guard checksum == Checksum.of(body) else {
            throw MalformedBytes(at: 4, expected: "the checksum of the frame")
        }
        start = reader.offset
        return body
    }
}
