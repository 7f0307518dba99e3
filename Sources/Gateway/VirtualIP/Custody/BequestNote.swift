import Posix
import Raft

/// What a guard whose gateway is gone and the next holder of its addresses say to each other, by UDP, about the
/// connections that were left: the holder asks for parts of their description until it has all.
///
/// Signed, like a `ReleaseNotice`, with the key of the gateway that is gone.
package struct BequestNote: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        /// `holder` leads in `term`, holds the addresses, and wants up to `count` parts from the byte `offset` on.
        case ask(holder: NodeID, term: Term, offset: UInt32, count: UInt32)
        /// Bytes from `offset` on, of `total`.
        case part(offset: UInt32, total: UInt32, [UInt8])
        /// The holder has all of them.
        case taken(holder: NodeID)
    }

    /// Bytes of one part, so that a datagram is one packet on any link.
    package static let partBytes = 1200
    /// Parts that are asked for at once.
    package static let window: UInt32 = 64
    package static let datagramLimit = partBytes + 128
    private static let format: UInt8 = 0xb1

    /// The node that is gone, and the term in which it held the addresses.
    package var node: NodeID
    package var term: Term
    package var content: Content

    package init(node: NodeID, term: Term, _ content: Content) {
        self.node = node
        self.term = term
        self.content = content
    }

    package func encoded(key: NoticeKey) -> [UInt8] {
        var writer = BinaryWriter(reserving: Self.datagramLimit)
        writer.write(Self.format)
        writer.write(node.number)
        writer.write(term.number)
        switch content {
        case .ask(let holder, let term, let offset, let count):
            writer.write(UInt8(1))
            writer.write(holder.number)
            writer.write(term.number)
            writer.write(offset)
            writer.write(count)
        case .part(let offset, let total, let bytes):
            writer.write(UInt8(2))
            writer.write(offset)
            writer.write(total)
            writer.write(bytes: bytes)
        case .taken(let holder):
            writer.write(UInt8(3))
            writer.write(holder.number)
        }
        writer.write(SipHash.hash(writer.bytes, key: key))
        return writer.bytes
    }

    /// Nil unless it is whole and signed with the key of the node that it names.
    package init?(_ bytes: [UInt8], key: (NodeID) -> NoticeKey?) {
        var reader = BinaryReader(bytes)
        do throws(DecodingFault) {
            try reader.expectVersion(Self.format)
            node = NodeID(try reader.read())
            term = Term(try reader.read())
            switch try reader.read(UInt8.self) {
            case 1:
                content = .ask(
                    holder: NodeID(try reader.read()), term: Term(try reader.read()), offset: try reader.read(),
                    count: try reader.read())
            case 2:
                content = .part(
                    offset: try reader.read(), total: try reader.read(),
                    try reader.readBytes("part", limit: Self.partBytes))
            case 3: content = .taken(holder: NodeID(try reader.read()))
            case _: return nil
            }
            let signature = try reader.read(UInt64.self)
            try reader.finish()
            guard let key = key(node), SipHash.hash(Array(bytes.dropLast(8)), key: key) == signature else { return nil }
        } catch { return nil }
    }
}
