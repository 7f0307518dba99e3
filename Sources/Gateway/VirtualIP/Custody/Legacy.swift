import Posix

/// What a killed gateway leaves to the next holder of its addresses.
package struct Legacy: Hashable, Sendable {
    private static let version: UInt8 = 2

    /// Connections at rest: they go on.
    package var images: [TCPConnectionImage]
    /// Other connections, which end. The kernel tells their clients as it closes what the gateway had, but some of it only
    /// once the addresses are off the machine, and then in vain.
    package var ended: [ConnectionRecord.Flow]

    /// - Parameter open: All connections that there were; of more than `SharedConnections.capacity` clients learn of the end
    ///   only when they send something.
    package init(_ images: [TCPConnectionImage], open: Set<ConnectionRecord.Flow>) {
        self.images = images
        ended = Array(open.subtracting(images.lazy.map(\.flow)).prefix(SharedConnections.capacity))
    }

    package var isEmpty: Bool { images.isEmpty && ended.isEmpty }

    /// Those that end when only `flows` could be made at the next holder.
    package func endings(goingOn flows: Set<ConnectionRecord.Flow>) -> [ConnectionRecord.Flow] {
        ended + images.lazy.map(\.flow).filter { !flows.contains($0) }
    }

    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(Self.version)
        writer.write(list: images)
        writer.write(list: ended)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        try reader.expectVersion(Self.version)
        images = try reader.readList("connections", limit: Custody.capacity)
        ended = try reader.readList("connections that end", limit: SharedConnections.capacity)
        try reader.finish()
    }
}
