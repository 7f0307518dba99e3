import Posix

/// Whose data a data directory holds; the file `identity` in it.
package struct NodeIdentity: Hashable, Sendable {
    package var cluster: String
    package var node: NodeID
    /// Drawn when the directory was made. The peers remember it, so that a node which lost its disk, and with it
    /// its votes and its log, is not taken for the one it was.
    package var incarnation: UInt64
    package var created: String
    /// False from the making of the directory until its log is there.
    var isComplete: Bool

    static let fileName = "identity"
    private static let title = "gwnode data directory 1"

    func encoded() -> [UInt8] {
        SealedText(
            title: Self.title,
            lines: [
                .init(key: "cluster", value: cluster),
                .init(key: "node", value: String(node.number)),
                .init(key: "incarnation", value: String(incarnation, radix: 16)),
                .init(key: "created", value: created),
                .init(key: "log", value: isComplete ? "created" : "missing"),
            ]
        ).encoded()
    }

    static func decode(_ bytes: [UInt8]) throws(MalformedBytes) -> NodeIdentity {
        let text = try SealedText.decode(bytes, title: title)
        guard let node = UInt64(try text.value("node")), node > 0,
            let incarnation = UInt64(try text.value("incarnation"), radix: 16)
        else {
            throw MalformedBytes(at: 0, expected: "a node number and an incarnation in hexadecimal digits")
        }
        return NodeIdentity(
            cluster: try text.value("cluster"), node: NodeID(node), incarnation: incarnation,
            created: try text.value("created"), isComplete: try text.value("log") == "created")
    }
}
