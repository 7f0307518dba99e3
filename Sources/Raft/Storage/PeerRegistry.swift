import Posix

/// The incarnations of the other nodes as they were first met; the file `peers` in the data directory.
package struct PeerRegistry: Hashable, Sendable {
    package private(set) var incarnations: [NodeID: UInt64]

    static let fileName = "peers"
    private static let title = "gwnode peers 1"

    package init(_ incarnations: [NodeID: UInt64] = [:]) { self.incarnations = incarnations }

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
        return SealedText(
            title: Self.title,
            lines: nodes.map { .init(key: String($0.number), value: String(incarnations[$0]!, radix: 16)) }
        ).encoded()
    }

    static func decode(_ bytes: [UInt8]) throws(MalformedBytes) -> PeerRegistry {
        var registry = PeerRegistry()
        for line in try SealedText.decode(bytes, title: title).lines {
            guard let node = UInt64(line.key), node > 0, let incarnation = UInt64(line.value, radix: 16) else {
                throw MalformedBytes(at: 0, expected: "a node number and an incarnation in hexadecimal digits")
            }
            registry.incarnations[NodeID(node)] = incarnation
        }
        return registry
    }
}
