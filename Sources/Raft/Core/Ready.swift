import Posix

/// What the host has to do now, in this order: withdraw what is tied to `surrenderedLease`; send `messages`; queue
/// `write` for the disk; restore `restore`; apply `committed`; answer reads and proposals. Nothing here waits for
/// the disk: what may be said only after a write, the core says once `Raft.persisted` tells that the write is done.
package struct Ready: Hashable, Sendable {
    package var messages: [Envelope] = []
    package var write: WriteTicket?
    /// A snapshot from the leader: replace the applied state by it, then call `Raft.applied(through: restore.index)`.
    package var restore: Snapshot?
    /// In order and without gap; then call `Raft.applied(through:)`.
    package var committed: [Entry] = []
    package var servedReads: [ServedRead] = []
    package var failedReads: [FailedRead] = []
    package var failedProposals: [FailedProposal] = []
    /// This term's lease is given up: withdraw what is tied to it, then call `Raft.leaseWithdrawn(_:at:)`.
    package var surrenderedLease: Term?

    package init() {}

    package var isEmpty: Bool { self == Ready() }
}

package struct Envelope: Hashable, Sendable {
    package var to: NodeID
    package var message: Message

    package init(to: NodeID, message: Message) {
        self.to = to
        self.message = message
    }
}

/// To be made durable as a whole or not at all past its last valid record, and in the order of the ids. Several
/// tickets may be under way; one `Raft.persisted` for the newest durable one is enough.
package struct WriteTicket: Hashable, Sendable {
    package struct ID: Hashable, Comparable, Sendable {
        package var number: UInt64
        package init(_ number: UInt64) { self.number = number }
        package static func < (left: ID, right: ID) -> Bool { left.number < right.number }
    }

    package var id: ID
    /// Present when it changed.
    package var hardState: HardState?
    /// Received from the leader. It discards the whole log; `entries` then follow it.
    package var snapshot: Snapshot?
    /// Replace everything in the log from the first one's index on.
    package var entries: [Entry]

    package init(id: ID, hardState: HardState?, snapshot: Snapshot?, entries: [Entry]) {
        self.id = id
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
    }
}

/// The state machine of this node has applied `index` or more, so a read of it is linearizable.
package struct ServedRead: Hashable, Sendable {
    package var id: ReadID
    package var index: LogIndex

    package init(id: ReadID, index: LogIndex) {
        self.id = id
        self.index = index
    }
}

package struct FailedRead: Hashable, Sendable {
    package var id: ReadID
    package var reason: ReadFailure

    package init(id: ReadID, reason: ReadFailure) {
        self.id = id
        self.reason = reason
    }
}

package struct FailedProposal: Hashable, Sendable {
    package var id: ProposalID
    package var reason: ProposalFailure

    package init(id: ProposalID, reason: ProposalFailure) {
        self.id = id
        self.reason = reason
    }
}

/// All but `superseded` mean that the command was not appended: retrying is safe.
package enum ProposalFailure: Error, Hashable, Sendable {
    /// `leader` is who the refusing node takes for the leader, nil when it knows none.
    case notLeader(leader: NodeID?)
    /// Too many bytes wait to be committed: retry later.
    case overloaded
    /// Over `Limits.proposalBytes`.
    case tooLarge
    /// Leadership is being handed over: retry soon.
    case handingOver
    /// Another leader's entry took its place in this node's log. Its outcome is unknown: another node may hold it.
    case superseded
}

package enum ReadFailure: Error, Hashable, Sendable {
    case notLeader(leader: NodeID?)
    /// Over `Limits.pendingReads`: retry later.
    case overloaded
}

/// What a node finds on its disk at start.
package struct RecoveredState: Hashable, Sendable {
    package var hardState: HardState
    package var snapshot: Snapshot?
    /// Without gap. Those that the snapshot covers may be there or not.
    package var entries: [Entry]
    /// The members to begin with, where neither snapshot nor entries name any: the same at every founding node, and
    /// without voters at a node that joins a running cluster.
    package var foundingMembership: Membership

    package init(
        hardState: HardState = HardState(), snapshot: Snapshot? = nil, entries: [Entry] = [],
        foundingMembership: Membership
    ) {
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
        self.foundingMembership = foundingMembership
    }
}
