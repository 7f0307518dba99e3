import Posix

/// Connections of one move that a node hands over to the next holder of their addresses, or a part of them.
package struct HandoverOffer: Hashable, Sendable {
    /// The connections of one offer; one alone may have more bytes.
    package static let bytes = 128 << 10
    /// Connections of one offer.
    private static let limit = 4096

    package var move: UInt64
    /// All that the move takes along.
    package var addresses: [IPAddress]
    package var images: [TCPConnectionImage]
    /// Connections with which nobody goes on, as something is still under way on them, or as they ended before and it may
    /// have been told in vain: their clients are to learn of it. Those of the last offer are all.
    package var left: [ConnectionRecord] = []
    /// No more follow.
    package var isLast: Bool

    /// The offers of all `images`, at least one. Beyond `ConnectionRecords.limit` of those that are left, clients learn of
    /// the end only when they send something. A client that went on from the same port is not to be told.
    package static func all(
        move: UInt64, of addresses: [IPAddress], _ images: [TCPConnectionImage], left: [ConnectionRecord.Flow] = []
    ) -> [HandoverOffer] {
        var offers: [HandoverOffer] = []
        var some: [TCPConnectionImage] = []
        var bytes = 0
        for image in images {
            let size = image.encodedSize
            if !some.isEmpty, bytes + size > Self.bytes || some.count == limit {
                offers.append(HandoverOffer(move: move, addresses: addresses, images: some, isLast: false))
                (some, bytes) = ([], 0)
            }
            some.append(image)
            bytes += size
        }
        let carried = Set(images.map(\.flow))
        let few = ConnectionRecord.all(of: left.lazy.filter { !carried.contains($0) }.prefix(ConnectionRecords.limit))
        return offers + [HandoverOffer(move: move, addresses: addresses, images: some, left: few, isLast: true)]
    }
}

extension HandoverOffer: BinaryCodable {
    func write(to writer: inout BinaryWriter) {
        writer.write(move)
        writer.write(list: addresses) { $0.write($1) }
        writer.write(UInt8(isLast ? 1 : 0))
        writer.write(list: images)
        writer.write(list: left)
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        move = try reader.read()
        let addresses = try reader.readAddresses("addresses of a move")
        self.addresses = addresses
        isLast = try reader.read(UInt8.self) == 1
        images = try reader.readList("connections", limit: Self.limit)
        left = try reader.readList("connections that are left", limit: ConnectionRecords.limit)
        guard (images.map(\.local.ip) + left.map(\.local.ip)).allSatisfy(addresses.contains) else {
            throw .invalid(what: "address of a connection", offset: reader.offset)
        }
    }
}
