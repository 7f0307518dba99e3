import Posix

/// What a node tells the others of an open connection of a client.
package struct ConnectionRecord: Hashable, Sendable {
    /// All that has to be known to go on with a connection when the machine dies.
    ///
    /// At rest means that the client has acknowledged all that was sent to it, and that every byte that arrived was used for
    /// requests that are answered.
    package struct Rest: Hashable, Sendable {
        /// The time stamp is one that was sent before.
        package var options: TCPConnectionImage.Options
        /// Of the next byte to the client.
        package var sendSequence: UInt32
        /// Of the next byte from the client.
        package var receiveSequence: UInt32

        package init(options: TCPConnectionImage.Options, sendSequence: UInt32, receiveSequence: UInt32) {
            self.options = options
            self.sendSequence = sendSequence
            self.receiveSequence = receiveSequence
        }
    }

    /// A node has one connection at a place, so a newer record of it takes the place of the older one.
    package var place: UInt32
    package var local: SocketAddress
    package var peer: SocketAddress
    /// Nil of a connection that was not at rest: nobody can go on with it, but its client is to hear of its end, which may
    /// wait for an answer and so would never send anything that could be reset.
    package var rest: Rest?

    package init(place: UInt32, local: SocketAddress, peer: SocketAddress, rest: Rest?) {
        self.place = place
        self.local = local
        self.peer = peer
        self.rest = rest
    }

    package var flow: Flow { Flow(local: local, peer: peer) }

    /// What tells one connection from all others at one time.
    package struct Flow: Hashable, Sendable {
        package var local: SocketAddress
        package var peer: SocketAddress

        package init(local: SocketAddress, peer: SocketAddress) {
            self.local = local
            self.peer = peer
        }
    }
}

extension ConnectionRecord {
    /// Of a connection that is made anew as `image` says. Bytes that are still on their way are not at rest.
    package init(_ image: TCPConnectionImage, place: UInt32) {
        let isAtRest = image.unread.isEmpty && image.unacknowledged.isEmpty
        let rest = Rest(
            options: image.options, sendSequence: image.sendSequence, receiveSequence: image.receiveSequence)
        self.init(place: place, local: image.local, peer: image.peer, rest: isAtRest ? rest : nil)
    }

    /// Of connections that are no worker's, not of this node: none has so many that they could meet at a place.
    package static func all(of images: [TCPConnectionImage]) -> [ConnectionRecord] {
        images.enumerated().map { ConnectionRecord($1, place: .max - UInt32($0)) }
    }

    /// The same where nothing more is known than their ends.
    package static func all(of flows: some Sequence<Flow>) -> [ConnectionRecord] {
        flows.enumerated().map { number, flow in
            ConnectionRecord(place: .max - UInt32(number), local: flow.local, peer: flow.peer, rest: nil)
        }
    }
}

extension TCPConnectionImage {
    package var flow: ConnectionRecord.Flow { .init(local: local, peer: peer) }
}

/// Records as they travel from node to node.
package struct ConnectionRecords: Hashable, Sendable {
    /// Of one note; some 60 bytes each.
    package static let limit = 4096
    private static let version: UInt8 = 2

    package var records: [ConnectionRecord]

    package init(_ records: [ConnectionRecord]) { self.records = records }

    /// Of connections of which nothing more is known, in as many notes as it takes.
    package static func notes(of flows: [ConnectionRecord.Flow]) -> [ConnectionRecords] {
        let records = ConnectionRecord.all(of: flows.prefix(SharedConnections.capacity))
        return records.pieces(of: limit).map { ConnectionRecords(Array($0)) }
    }

    package func encoded() -> [UInt8] {
        var writer = BinaryWriter(reserving: 8 + 60 * records.count)
        writer.write(Self.version)
        writer.write(list: records)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        try reader.expectVersion(Self.version)
        records = try reader.readList("connections", limit: Self.limit)
        try reader.finish()
    }
}

extension ConnectionRecord: BinaryCodable {
    func write(to writer: inout BinaryWriter) {
        writer.write(place)
        writer.write(flow)
        writer.write(optional: rest)
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        place = try reader.read()
        let flow = try reader.read(Flow.self)
        (local, peer) = (flow.local, flow.peer)
        rest = try reader.readOptional("rest")
    }
}

extension ConnectionRecord.Flow: BinaryCodable {
    func write(to writer: inout BinaryWriter) {
        writer.write(local)
        writer.write(peer)
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        (local, peer) = (try reader.read(), try reader.read())
        guard local.ip.isIPv4 == peer.ip.isIPv4 else {
            throw .invalid(what: "pair of addresses", offset: reader.offset)
        }
    }
}

extension ConnectionRecord.Rest: BinaryCodable {
    func write(to writer: inout BinaryWriter) {
        writer.write(options)
        writer.write(sendSequence)
        writer.write(receiveSequence)
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        options = try reader.read()
        (sendSequence, receiveSequence) = (try reader.read(), try reader.read())
    }
}
