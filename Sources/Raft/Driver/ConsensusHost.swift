import Posix

/// What runs on Raft: a state machine, and whatever acts with the right of the leader. Every call comes on the
/// consensus thread and must not block: a heartbeat waits behind it.
package protocol ConsensusHost: AnyObject, SendableMetatype {
    associatedtype Outcome: Sendable

    /// Applies a committed command. The same commands come in the same order at every node.
    func apply(_ command: [UInt8], at position: LogPosition) -> Outcome
    /// Takes a cheap copy of the applied state; the closure encodes it later, on the disk thread.
    func snapshotEncoder() -> @Sendable () -> [UInt8]
    /// Replaces the applied state by one that `snapshotEncoder` encoded, here or at another node.
    func restore(_ state: [UInt8], through index: LogIndex) throws(RestoreFailure)
    /// Comes once at the end of each turn of the loop, and at the latest at the instant returned by the call before.
    func turn(_ view: TurnView) -> HostTurn
    /// The lease of `term` is given up: withdraw what is tied to it, then call `RaftNode.leaseWithdrawn`.
    func surrendered(lease term: Term)
    /// What another node last published with `RaftNode.publish(info:)`.
    func received(info: [UInt8], from node: NodeID, at now: Instant)
    /// What another node sent to this one with `RaftNode.send(note:to:)`.
    func received(note: [UInt8], from node: NodeID)
}

/// A state that can not be taken over. The node stops: going on without it would answer from another history.
package struct RestoreFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package let reason: String
    package init(_ reason: String) { self.reason = reason }
    package var description: String { reason }
}

/// What a host wants after its turn.
package struct HostTurn: Sendable {
    /// When the next one is due at the latest.
    package var deadline: Instant
    /// What this node lends while it leads: everything, at each turn.
    package var lent: [NodeID: [Right]]
    /// To whom for long.
    package var long: Set<NodeID>
    /// Nil where the host takes no part in lending.
    package var wish: BorrowerWish?

    package init(
        deadline: Instant, lent: [NodeID: [Right]] = [:], long: Set<NodeID> = [], wish: BorrowerWish? = nil
    ) {
        self.deadline = deadline
        self.lent = lent
        self.long = long
        self.wish = wish
    }
}

/// What a host sees at the end of a turn.
package struct TurnView: Sendable {
    package let now: Instant
    package let raft: Status
    /// The peers with an open connection to them.
    package let connected: [NodeID]
    /// Connections to peers that were opened until now: with another one there may be a process that heard of nothing yet.
    package let openedConnections: UInt64
}
