/// Which life of a cluster it is, when it is not the one it was founded with: a restore from a snapshot and a cluster
/// forced anew from one node begin another. Nodes of two of them never talk Raft to each other, so that whoever comes
/// back with the data of an earlier one can neither join nor outvote.
package struct ClusterIncarnation: Hashable, Sendable, CustomStringConvertible {
    /// Not 0.
    package let number: UInt64

    package init(number: UInt64) { self.number = max(number, 1) }

    package static func random() -> ClusterIncarnation {
        ClusterIncarnation(number: .random(in: 1...UInt64.max))
    }

    /// The same for all nodes that are restored alike, and for no others: with the same token, from the same state, as
    /// the same members.
    package init(token: String, stateChecksum: UInt32, members: [NodeID]) {
        let text = "\(token)\n\(stateChecksum)\n\(members.sorted())"
        // FNV-1a.
        self.init(number: text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 })
    }

    /// Reads what `description` writes.
    package init?(_ text: some StringProtocol) {
        guard let number = UInt64(text, radix: 16), number > 0, String(number, radix: 16) == text else { return nil }
        self.number = number
    }

    package var description: String { String(number, radix: 16) }
}
