/// Raft's logical clock: at most one leader is elected in a term (Raft paper, section 5.1).
package struct Term: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
    package static let zero = Term(0)
    package var next: Term { Term(number + 1) }
    package static func < (left: Term, right: Term) -> Bool { left.number < right.number }
    package var description: String { String(number) }
}

/// A position in the log; the first entry is at 1, 0 stands for "before the first".
package struct LogIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
    package static let zero = LogIndex(0)
    package var next: LogIndex { LogIndex(number + 1) }
    package var previous: LogIndex { LogIndex(number - 1) }
    package static func < (left: LogIndex, right: LogIndex) -> Bool { left.number < right.number }
    package var description: String { String(number) }
}

/// A member of the cluster, as the operator numbers it: 1 and up.
package struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
    package static func < (left: NodeID, right: NodeID) -> Bool { left.number < right.number }
    package var description: String { String(number) }
}

/// Names one proposal for ever, so that the node which made it knows it again when it is applied.
package struct ProposalID: Hashable, Sendable, CustomStringConvertible {
    package var node: NodeID
    /// Drawn anew at each start of the node's process.
    package var boot: UInt64
    package var sequence: UInt64

    package init(node: NodeID, boot: UInt64, sequence: UInt64) {
        self.node = node
        self.boot = boot
        self.sequence = sequence
    }

    package var description: String { "\(node).\(boot).\(sequence)" }
}

/// Names one read for ever: a late reply to a read of an earlier process must not answer one of this.
package struct ReadID: Hashable, Sendable, CustomStringConvertible {
    /// Drawn anew at each start of the node's process.
    package var boot: UInt64
    package var sequence: UInt64

    package init(boot: UInt64, sequence: UInt64) {
        self.boot = boot
        self.sequence = sequence
    }

    package var description: String { "\(boot).\(sequence)" }
}

/// An entry's identity: two logs that hold the same position hold the same entries up to it (Log Matching,
/// Raft paper, section 5.3). Ordered as the election restriction orders logs: by term, then by index.
package struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var term: Term
    package var index: LogIndex

    package init(term: Term, index: LogIndex) {
        self.term = term
        self.index = index
    }

    package static let zero = LogPosition(term: .zero, index: .zero)
    package static func < (left: LogPosition, right: LogPosition) -> Bool {
        (left.term, left.index) < (right.term, right.index)
    }
    package var description: String { "\(index)@\(term)" }
}
