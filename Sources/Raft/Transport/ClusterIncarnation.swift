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

/// How a node names its cluster to others: `web` as founded, `web@5f3a` in a later incarnation, `web@?` while it has
/// nothing of the cluster yet and takes the incarnation of whoever greets it. A cluster's name has no `@` in it.
package struct ClusterTitle: Hashable, Sendable, CustomStringConvertible {
    package enum Life: Hashable, Sendable {
        case founding
        case later(ClusterIncarnation)
        /// Of a node that joins and has neither voted nor stored anything.
        case unknown
    }

    package var name: String
    package var life: Life

    package init(name: String, life: Life) {
        self.name = name
        self.life = life
    }

    /// What is after the `@` and can not be read belongs to no incarnation of this version, so all of it is the name.
    package init(_ text: String) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        self.init(name: String(parts[0]), life: .founding)
        guard parts.count == 2 else { return }
        if parts[1] == "?" {
            life = .unknown
        } else if let incarnation = ClusterIncarnation(parts[1]) {
            life = .later(incarnation)
        } else {
            name = text
        }
    }

    package var description: String {
        switch life {
        case .founding: name
        case .later(let incarnation): "\(name)@\(incarnation)"
        case .unknown: "\(name)@?"
        }
    }

    /// Nodes that may talk to each other.
    package func goes(with other: ClusterTitle) -> Bool {
        name == other.name && (life == other.life || life == .unknown || other.life == .unknown)
    }
}
