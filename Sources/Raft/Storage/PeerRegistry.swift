import Posix

/// Whom this node belongs with: the incarnation of the cluster, and those of the other nodes as they were first met;
/// the file `peers` in the data directory.
package struct PeerRegistry: Hashable, Sendable {
    /// nil for the cluster as it was founded.
    package var cluster: ClusterIncarnation?
    package private(set) var incarnations: [NodeID: UInt64]

    static let fileName = "peers"
    private static let title = "gwnode peers 1"
    private static let clusterKey = "cluster"

    package init(_ incarnations: [NodeID: UInt64] = [:], cluster: ClusterIncarnation? = nil) {
        self.incarnations = incarnations
        self.cluster = cluster
    }

    package enum Verdict: Hashable, Sendable {
        case known
        /// Met for the first time and taken down: the registry has to be saved.
        case new
        /// Not the one first met under this id.
        case stranger(expected: UInt64)
    }

    package mutating func meet(_ node: NodeID, incarnation: UInt64) -> Verdict {
        guard let expected = incarnations[node] else {
            incarnations[node] = incarnation
            return .new
        }
        return expected == incarnation ? .known : .stranger(expected: expected)
    }

    func encoded() -> [UInt8] {
        let nodes = incarnations.keys.sorted()
        let first = cluster.map { SealedText.Line(key: Self.clusterKey, value: $0.description) }
        return SealedText(
            title: Self.title,
            lines: [first].compactMap(\.self)
                + nodes.map { .init(key: String($0.number), value: String(incarnations[$0]!, radix: 16)) }
        ).encoded()
    }

    static func decode(_ bytes: [UInt8]) throws(MalformedBytes) -> PeerRegistry {
        var registry = PeerRegistry()
        for line in try SealedText.decode(bytes, title: title).lines {
            if line.key == clusterKey {
                guard let cluster = ClusterIncarnation(line.value) else {
                    throw MalformedBytes(at: 0, expected: "an incarnation of the cluster in hexadecimal digits")
                }
                registry.cluster = cluster
                continue
            }
            guard let node = UInt64(line.key), node > 0, let incarnation = UInt64(line.value, radix: 16) else {
                throw MalformedBytes(at: 0, expected: "a node number and an incarnation in hexadecimal digits")
            }
            registry.incarnations[NodeID(node)] = incarnation
        }
        return registry
    }
}
