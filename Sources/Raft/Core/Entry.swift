/// One entry of the replicated log.
package struct Entry: Hashable, Sendable {
    package var term: Term
    package var index: LogIndex
    package var payload: Payload

    package enum Payload: Hashable, Sendable {
        /// The leader's first entry of its term; committing it commits all before it (Raft paper, section 8).
        case noop
        /// Bytes that Raft does not look into.
        case command(ProposalID, [UInt8])
        /// Takes effect when appended, not when committed (Raft dissertation, section 4.1).
        case membership(Membership)
    }

    package init(term: Term, index: LogIndex, payload: Payload) {
        self.term = term
        self.index = index
        self.payload = payload
    }
}

/// Who votes and who only follows. Members are sorted and without duplicates.
package struct Membership: Hashable, Sendable {
    package var voters: [NodeID]
    /// The voters of the old configuration while a joint change is under way, otherwise empty.
    package var outgoingVoters: [NodeID]
    /// Follow without a vote for as long as they are members.
    package var learners: [NodeID]
    /// Follow without a vote until they have caught up; then the leader makes voters of them.
    package var joining: [NodeID]

    package init(
        voters: [NodeID], outgoingVoters: [NodeID] = [], learners: [NodeID] = [], joining: [NodeID] = []
    ) {
        self.voters = voters.sorted()
        self.outgoingVoters = outgoingVoters.sorted()
        self.learners = learners.sorted()
        self.joining = joining.sorted()
    }
}

/// What must be on disk before a node answers in a term.
package struct HardState: Hashable, Sendable {
    package var term: Term
    package var vote: NodeID?
    /// A leader of this term was promised a long lease, which may last (`LeasePromise`); zero for none.
    package var promised: Term

    package init(term: Term = .zero, vote: NodeID? = nil, promised: Term = .zero) {
        self.term = term
        self.vote = vote
        self.promised = promised
    }
}

/// The applied state up to and with `index`, as opaque bytes.
package struct Snapshot: Hashable, Sendable {
    package var index: LogIndex
    package var term: Term
    package var membership: Membership
    package var state: [UInt8]

    package init(index: LogIndex, term: Term, membership: Membership, state: [UInt8]) {
        self.index = index
        self.term = term
        self.membership = membership
        self.state = state
    }
}
