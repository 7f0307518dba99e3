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
