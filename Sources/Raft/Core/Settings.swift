import Posix

/// What a node's core is told once, at start.
package struct Settings: Hashable, Sendable {
    package var id: NodeID
    package var timing: Timing
    package var limits: Limits
    /// Seeds the core's random generator. Must differ at each start: vote attempts are told apart by it.
    package var seed: UInt64

    package init(id: NodeID, timing: Timing = .lan, limits: Limits = Limits(), seed: UInt64) {
        self.id = id
        self.timing = timing
        self.limits = limits
        self.seed = seed
    }
}

/// The periods of a cluster; equal on all its nodes.
package struct Timing: Hashable, Sendable {
    /// From one round of heartbeats to the next.
    package var heartbeat: Nanoseconds
    /// How long a leader may act on its own, from the sending of the newest heartbeat that a quorum acknowledged.
    package var lease: Nanoseconds
    /// A follower that hears nothing for a time drawn between these two asks for a pre-vote (Succession.swift).
    package var electionMinimum: Nanoseconds
    package var electionMaximum: Nanoseconds
    /// What a new leader waits on top of an old lease, for a host that is late to withdraw what is tied to it.
    package var margin: Nanoseconds
    /// On evidence that the leader's process is gone, the voters campaign one such step after the other.
    package var evidenceStagger: Nanoseconds
    /// A commit that no append carries is told so much later, unless somebody is known to wait for it: meanwhile the
    /// leader answers its client, and the next append may carry it.
    package var commitNotice = Nanoseconds.milliseconds(1)
    /// The one long lease that a leader may ask for, for the pause in which another process takes its place (Pause.swift).
    package var pause = Nanoseconds.seconds(2)
    /// A leader whose disk has not finished a write for this long steps down. Well above the lease: a leader does not
    /// wait for its own disk to commit, so a short stall of it is not felt, and changing the leader is.
    package var diskStall: Nanoseconds

    /// For nodes on one network. Needs a host that runs its threads within some 20 ms.
    package static let lan = Timing(
        heartbeat: .milliseconds(10), lease: .milliseconds(40), electionMinimum: .milliseconds(50),
        electionMaximum: .milliseconds(75), margin: .milliseconds(5), evidenceStagger: .milliseconds(4))

    /// For nodes on one switch that run the consensus thread within some 8 ms, which takes SCHED_FIFO on busy hosts.
    package static let fast = Timing(
        heartbeat: .milliseconds(5), lease: .milliseconds(20), electionMinimum: .milliseconds(25),
        electionMaximum: .milliseconds(34), margin: .milliseconds(3), evidenceStagger: .milliseconds(3))

    /// For busy or virtual hosts, whose disks are often shared too.
    package static let cautious = Timing(
        heartbeat: .milliseconds(50), lease: .milliseconds(250), electionMinimum: .milliseconds(300),
        electionMaximum: .milliseconds(450), margin: .milliseconds(20), evidenceStagger: .milliseconds(10),
        diskStall: .seconds(5))

    /// For nodes with up to some 150 ms between them.
    package static let wan = Timing(
        heartbeat: .milliseconds(200), lease: .milliseconds(1200), electionMinimum: .milliseconds(1500),
        electionMaximum: .milliseconds(2500), margin: .milliseconds(50), evidenceStagger: .milliseconds(300),
        diskStall: .seconds(5))

    /// How long a lease can last after any voter's last contact with its holder, on any node's clock, plus the
    /// margin. Each clock's rate is within 1 % of true time: the holder's may be slow and the waiting node's fast,
    /// so the factor has to exceed 1.01 / 0.99.
    package var leaseGuard: Nanoseconds { lease * 103 / 100 + margin }

    /// The same for a long lease.
    package var pauseGuard: Nanoseconds { pause * 103 / 100 + margin }

    package enum Fault: Error, Hashable, Sendable {
        /// heartbeat · 2 > lease: one lost heartbeat would end the lease.
        case heartbeatTooLongForLease
        /// leaseGuard ≥ electionMinimum: voters would campaign while they have to refuse votes.
        case leaseTooLongForElection
        case electionRangeEmpty
        case zeroPeriod
        /// lease > pause: a long lease would be none.
        case pauseShorterThanLease
    }

    package init(
        heartbeat: Nanoseconds, lease: Nanoseconds, electionMinimum: Nanoseconds, electionMaximum: Nanoseconds,
        margin: Nanoseconds, evidenceStagger: Nanoseconds, diskStall: Nanoseconds = .milliseconds(500)
    ) {
        self.heartbeat = heartbeat
        self.lease = lease
        self.electionMinimum = electionMinimum
        self.electionMaximum = electionMaximum
        self.margin = margin
        self.evidenceStagger = evidenceStagger
        self.diskStall = diskStall
    }

    /// Refuses periods that do not fit together.
    package func validate() throws(Fault) {
        if heartbeat == .zero || evidenceStagger == .zero { throw .zeroPeriod }
        if heartbeat * 2 > lease { throw .heartbeatTooLongForLease }
        if leaseGuard >= electionMinimum { throw .leaseTooLongForElection }
        if electionMinimum >= electionMaximum { throw .electionRangeEmpty }
        if lease > pause { throw .pauseShorterThanLease }
    }
}

/// The bounds on everything that the core stores or sends.
package struct Limits: Hashable, Sendable {
    /// Entries in one append message.
    package var messageEntries = 1024
    /// Command bytes in one append message; a single larger entry goes alone.
    package var messageBytes = 512 << 10
    /// Append messages under way to one peer.
    package var messagesInFlight = 64
    /// Command bytes under way to one peer.
    package var bytesInFlight = 8 << 20
    /// One command.
    package var proposalBytes = 4 << 20
    /// Command bytes in the leader's log that are not committed; beyond, proposals are refused.
    package var uncommittedBytes = 32 << 20
    /// Reads that wait, for a quorum or for the state machine.
    package var pendingReads = 4096
    package var snapshotChunkBytes = 256 << 10
    package var snapshotChunksInFlight = 4
    /// A snapshot that a leader offers.
    package var snapshotBytes = 256 << 20
    /// Entries kept below a snapshot, for followers that trail a little.
    package var retainedEntries: UInt64 = 1000
    /// Lent to one node.
    package var rights = 64
    /// Nodes of a cluster, learners included.
    package var members = 32
    /// Committed entries handed out by one `ready()`.
    package var appliesPerReady = 1024

    package init() {}
}
