/// Majorities: of the voters, and during a joint change of the outgoing voters too (dissertation, section 4.3).
extension Membership {
    package var isJoint: Bool { !outgoingVoters.isEmpty }

    package func isVoter(_ node: NodeID) -> Bool { voters.contains(node) || outgoingVoters.contains(node) }

    package func contains(_ node: NodeID) -> Bool { everyone.contains(node) }

    /// Everyone who votes, sorted.
    package var allVoters: [NodeID] {
        isJoint ? Set(voters).union(outgoingVoters).sorted() : voters
    }

    /// Everyone who gets the log, sorted.
    package var everyone: [NodeID] { Set(voters).union(outgoingVoters).union(learners).union(joining).sorted() }

    /// Without voters there is no majority.
    package func hasMajority(where agrees: (NodeID) -> Bool) -> Bool {
        func majority(of nodes: [NodeID]) -> Bool { nodes.count(where: agrees) > nodes.count / 2 }
        return majority(of: voters) && (!isJoint || majority(of: outgoingVoters))
    }

    /// The highest value that a majority has reached; nil without voters.
    package func majorityValue<Value: Comparable>(_ value: (NodeID) -> Value) -> Value? {
        func reached(by nodes: [NodeID]) -> Value { nodes.map(value).sorted(by: >)[nodes.count / 2] }
        if voters.isEmpty { return nil }
        return isJoint ? min(reached(by: voters), reached(by: outgoingVoters)) : reached(by: voters)
    }
}
