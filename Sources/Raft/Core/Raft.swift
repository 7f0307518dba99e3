import Posix

/// One node's part of the Raft algorithm: a value without clock, I/O, threads or randomness of its own.
///
/// Events go in through the methods below, each with the present instant of the node's clock; then `ready()` tells
/// what to do. Calls may be batched: one `ready()` after many events costs one message a peer and one write.
package struct Raft: Hashable, Sendable {
    package init(_ settings: Settings, recovered: RecoveredState, at now: Instant) { fatalError() }

    /// When `tick` wants to be called at the latest.
    package var nextDeadline: Instant { fatalError() }

    package var status: Status { fatalError() }

    /// Takes a message from another node. The host vouches for `sender`.
    package mutating func step(_ message: Message, from sender: NodeID, at now: Instant) { fatalError() }

    /// Tells the time. Harmless when called early.
    package mutating func tick(at now: Instant) { fatalError() }

    /// Proposes a command at any node. It may fail through `Ready.failedProposals`; otherwise it is done when an
    /// entry with this id is applied. Messages may be lost: the host bounds its waiting.
    package mutating func propose(_ id: ProposalID, _ command: [UInt8], at now: Instant) { fatalError() }

    /// Asks for a linearizable read at any node; answered by `Ready.servedReads` or `Ready.failedReads`.
    /// Messages may be lost: the host bounds its waiting and may ask again.
    package mutating func read(_ id: ReadID, at now: Instant) { fatalError() }

    /// All tickets up to and with this one are durable.
    package mutating func persisted(_ ticket: WriteTicket.ID, at now: Instant) { fatalError() }

    /// The state machine holds everything through `index`.
    package mutating func applied(through index: LogIndex, at now: Instant) { fatalError() }

    /// What a snapshot of the state applied so far is made of, with the host's bytes.
    package func snapshot(ofAppliedState state: [UInt8]) -> Snapshot { fatalError() }

    /// This snapshot of the own state is durable: the log before it may go.
    package mutating func snapshotTaken(_ snapshot: Snapshot, at now: Instant) { fatalError() }

    /// The host has proof that the process of `node` is gone, not merely silent.
    package mutating func leaderProcessGone(_ node: NodeID, at now: Instant) { fatalError() }

    /// Hands leadership to `target`, or to the voter that is closest behind. Proposals are refused meanwhile.
    /// Ends with `Ready.surrenderedLease` at this node, or is given up after an election timeout.
    package mutating func transferLeadership(
        to target: NodeID?, at now: Instant
    ) throws(TransferRefusal) { fatalError() }

    /// Gives up lease and leadership at once (shutdown, stalled disk, lost carrier). No effect at a follower.
    package mutating func stepDown(at now: Instant) { fatalError() }

    /// What was tied to this term's lease has been withdrawn; others may be told so.
    package mutating func leaseWithdrawn(_ term: Term, at now: Instant) { fatalError() }

    package mutating func changeMembership(
        _ change: MembershipChange, at now: Instant
    ) throws(MembershipRefusal) { fatalError() }

    /// Collects what has to be done since the last call.
    package mutating func ready() -> Ready { fatalError() }
}
