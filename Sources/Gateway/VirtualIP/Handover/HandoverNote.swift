import Posix

/// What two nodes tell each other so that open connections of clients can move from one to the other.
package enum HandoverNote: Hashable, Sendable {
    case offer(HandoverOffer)
    /// Answers the last offer: so many connections go on here once this node holds their addresses.
    case taken(move: UInt64, count: Int)
    /// The connections of the move go on at the sender.
    case withdrawn(move: UInt64)
    /// What the sender's death would leave behind: `ConnectionRecords` in their binary form, which is for another thread to
    /// read than that which gets the note.
    case shared([UInt8])
    /// The same of connections that the sender drops, as another node has their addresses. Whoever has them goes on with
    /// these, or tells their clients that they have ended.
    case forsaken([UInt8])

    private static let recordsLimit = 512 << 10
    private static let version: UInt8 = 5

    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(Self.version)
        switch self {
        case .offer(let offer):
            writer.write(UInt8(1))
            writer.write(offer)
        case .taken(let move, let count):
            writer.write(UInt8(2))
            writer.write(move)
            writer.write(UInt32(clamping: count))
        case .shared(let records):
            writer.write(UInt8(3))
            writer.write(bytes: records)
        case .withdrawn(let move):
            writer.write(UInt8(4))
            writer.write(move)
        case .forsaken(let records):
            writer.write(UInt8(5))
            writer.write(bytes: records)
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        try reader.expectVersion(Self.version)
        switch try reader.read(UInt8.self) {
        case 1: self = .offer(try reader.read())
        case 2: self = .taken(move: try reader.read(), count: Int(try reader.read(UInt32.self)))
        case 3: self = .shared(try reader.readBytes("records", limit: Self.recordsLimit))
        case 4: self = .withdrawn(move: try reader.read())
        case 5: self = .forsaken(try reader.readBytes("records", limit: Self.recordsLimit))
        case _: throw .invalid(what: "kind of note", offset: reader.offset - 1)
        }
        try reader.finish()
    }
}

extension TCPConnectionImage: BinaryCodable {
    var encodedSize: Int { 128 + unread.count + unacknowledged.count }

    func write(to writer: inout BinaryWriter) {
        writer.write(local)
        writer.write(peer)
        writer.write(options)
        writer.write(windows.sendWL1)
        writer.write(windows.send)
        writer.write(windows.largest)
        writer.write(windows.receive)
        writer.write(windows.receiveUpdatedAt)
        writer.write(sendSequence)
        writer.write(receiveSequence)
        writer.write(UInt32(unsentCount))
        writer.write(bytes: unacknowledged)
        writer.write(bytes: unread)
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let (local, peer): (SocketAddress, SocketAddress) = (try reader.read(), try reader.read())
        guard local.ip.isIPv4 == peer.ip.isIPv4 else {
            throw .invalid(what: "pair of addresses", offset: reader.offset)
        }
        let options = try reader.read(Options.self)
        let windows = Windows(
            sendWL1: try reader.read(), send: try reader.read(), largest: try reader.read(),
            receive: try reader.read(), receiveUpdatedAt: try reader.read())
        let (sendSequence, receiveSequence) = (try reader.read(UInt32.self), try reader.read(UInt32.self))
        let unsentCount = Int(try reader.read(UInt32.self))
        let unacknowledged = try reader.readBytes("unacknowledged bytes", limit: Self.queueLimit)
        guard unsentCount <= unacknowledged.count else { throw .invalid(what: "unsent count", offset: reader.offset) }
        self.init(
            local: local, peer: peer, options: options, windows: windows, sendSequence: sendSequence,
            unacknowledged: unacknowledged, unsentCount: unsentCount, receiveSequence: receiveSequence,
            unread: try reader.readBytes("unread bytes", limit: Self.queueLimit))
    }
}

extension TCPConnectionImage.Options: BinaryCodable {
    private enum Flag {
        static let windowScales: UInt8 = 1
        static let selectiveAcknowledgements: UInt8 = 2
        static let timestamps: UInt8 = 4
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(
            (windowScales == nil ? 0 : Flag.windowScales)
                | (hasSelectiveAcknowledgements ? Flag.selectiveAcknowledgements : 0)
                | (timestamp == nil ? 0 : Flag.timestamps))
        writer.write(maximumSegmentSize)
        writer.write(windowScales?.sending ?? 0)
        writer.write(windowScales?.receiving ?? 0)
        writer.write(timestamp ?? 0)
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let flags = try reader.read(UInt8.self)
        let segment = try reader.read(UInt32.self)
        let scales = TCPConnectionImage.WindowScales(sending: try reader.read(), receiving: try reader.read())
        guard scales.sending <= 14, scales.receiving <= 14 else {
            throw .invalid(what: "window scale", offset: reader.offset)
        }
        let timestamp = try reader.read(UInt32.self)
        self.init(
            maximumSegmentSize: segment, windowScales: flags & Flag.windowScales == 0 ? nil : scales,
            hasSelectiveAcknowledgements: flags & Flag.selectiveAcknowledgements != 0,
            timestamp: flags & Flag.timestamps == 0 ? nil : timestamp)
    }
}
