/// Everything that the nodes agree on: what the gateway serves and who serves it, and the keys beside it.
package struct ReplicatedState: Hashable, Sendable {
    package var cluster = ClusterState()
    package var keys = KeySpace()

    package init() {}

    /// One entry of the replicated log.
    package enum Change: Hashable, Sendable {
        case cluster(Command)
        case key(KeyChange)
    }

    /// Carries out one change; equal logs give equal states. A refused one changes nothing.
    package mutating func apply(_ change: Change) -> Outcome {
        switch change {
        case .cluster(let command): cluster.apply(command)
        case .key(let change): keys.apply(change)
        }
    }
}

extension ReplicatedState {
    private static let formatVersion: UInt8 = 1
    /// More than the limits of `ClusterState` add up to.
    private static let clusterBytes = 64 << 20

    /// The state as a snapshot. Equal states give equal bytes.
    ///
    /// There is no checksum in it: the snapshot file and the frames that carry it have theirs.
    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(Self.formatVersion)
        writer.write(bytes: cluster.encoded())
        writer.write(keys)
        return writer.bytes
    }

    /// Reads a snapshot; any bytes whatever give a state or a fault.
    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        try reader.expectVersion(Self.formatVersion)
        cluster = try ClusterState(decoding: try reader.readBytes("cluster state", limit: Self.clusterBytes))
        keys = try reader.read()
        try reader.finish()
    }
}

extension ReplicatedState.Change {
    /// In the place of the kind of a `Command`, whose kinds are all below it.
    private static let keyKind: UInt8 = 128

    /// The change as Raft replicates it: the format's version, the kind, the payload.
    package func encoded() -> [UInt8] {
        switch self {
        case .cluster(let command): return command.encoded()
        case .key(let change):
            var writer = BinaryWriter(reserving: 256 + (change.value?.count ?? 0))
            writer.write(Command.formatVersion)
            writer.write(Self.keyKind)
            writer.write(change)
            return writer.bytes
        }
    }

    /// Reads a change; any bytes whatever give one or a fault.
    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        guard bytes.count > 1, bytes[1] == Self.keyKind else {
            self = .cluster(try Command(decoding: bytes))
            return
        }
        var reader = BinaryReader(bytes)
        try reader.expectVersion(Command.formatVersion)
        _ = try reader.read(UInt8.self)
        self = .key(try reader.read())
        try reader.finish()
    }
}
