import Posix

/// Everything that nodes say to each other. `term` is always the sender's current term.
package enum Message: Hashable, Sendable {
    /// "Would you vote for me in the term after mine?" Changes nothing at the receiver (dissertation, section 9.6).
    case preVoteRequest(VoteRequest)
    case preVoteReply(VoteReply)
    case voteRequest(VoteRequest)
    case voteReply(VoteReply)
    case heartbeat(Heartbeat)
    case heartbeatReply(HeartbeatReply)
    case appendRequest(AppendRequest)
    case appendReply(AppendReply)
    case snapshotChunk(SnapshotChunk)
    case snapshotReply(SnapshotReply)
    /// Answers a leader of an older term, which then steps down.
    case newerTerm(NewerTerm)
    case leaseReleased(LeaseReleased)
    case campaignNow(CampaignNow)
    case leaseWish(LeaseWish)
    case leaseGrant(LeaseGrant)
    case proposal(ForwardedProposal)
    case proposalRefused(ProposalRefused)
    case readRequest(ReadRequest)
    case readReply(ReadReply)

    /// Bulk messages travel on a connection of their own, so that no heartbeat waits behind them.
    package enum Lane: Hashable, Sendable {
        case control
        case bulk
    }

    package var lane: Lane {
        switch self {
        case .appendRequest, .snapshotChunk, .proposal: .bulk
        case .preVoteRequest, .preVoteReply, .voteRequest, .voteReply, .heartbeat, .heartbeatReply, .appendReply,
            .snapshotReply, .newerTerm, .leaseReleased, .campaignNow, .leaseWish, .leaseGrant, .proposalRefused,
            .readRequest, .readReply:
            .control
        }
    }
}

package struct VoteRequest: Hashable, Sendable {
    package var term: Term
    /// Drawn for each attempt and echoed by the reply. Votes are asked for while the candidate's own vote is still
    /// being written, so a candidate that crashed and lost that write must not count the replies to its former self.
    package var attempt: UInt64
    /// The candidate's last entry.
    package var last: LogPosition
    /// The candidate knows that every lease of this and earlier terms has been given up.
    package var releasedThrough: Term

    package init(term: Term, attempt: UInt64, last: LogPosition, releasedThrough: Term) {
        self.term = term
        self.attempt = attempt
        self.last = last
        self.releasedThrough = releasedThrough
    }
}

package struct VoteReply: Hashable, Sendable {
    package var term: Term
    package var attempt: UInt64
    package var granted: Bool
    /// When the voter last heard from a leader; from this the new leader knows how long an old lease can last.
    package var contact: ContactAge

    package init(term: Term, attempt: UInt64, granted: Bool, contact: ContactAge) {
        self.term = term
        self.attempt = attempt
        self.granted = granted
        self.contact = contact
    }
}

/// How long ago a voter last heard from a leader, on the voter's clock.
package struct ContactAge: Hashable, Sendable {
    /// The term of that leader; nil when the voter has heard from none since its start, at which it may have
    /// forgotten one. `age` is then the time since the start.
    package var term: Term?
    package var age: Nanoseconds
    /// The term whose leader the voter promised a long lease; zero for none.
    package var promised: Term
    /// How long that lease may last yet.
    package var promisedFor: Nanoseconds
    /// The newest term that the voter led or heard a leader of, as far as its memory goes.
    package var newest: Term
    /// The time since the voter's start.
    package var memory: Nanoseconds

    package init(
        term: Term?, age: Nanoseconds, promised: Term = .zero, promisedFor: Nanoseconds = .zero, newest: Term = .zero,
        memory: Nanoseconds = .zero
    ) {
        self.term = term
        self.age = age
        self.promised = promised
        self.promisedFor = promisedFor
        self.newest = newest
        self.memory = memory
    }
}

/// Names a round of heartbeats and when the leader sent it, on the leader's clock; echoed unread.
package struct HeartbeatStamp: Hashable, Comparable, Sendable {
    /// Counts up from 1 in each term.
    package var round: UInt64
    package var sentAt: Instant

    package init(round: UInt64, sentAt: Instant) {
        self.round = round
        self.sentAt = sentAt
    }

    package static let never = HeartbeatStamp(round: 0, sentAt: .zero)
    package static func < (left: HeartbeatStamp, right: HeartbeatStamp) -> Bool { left.round < right.round }
}

package struct Heartbeat: Hashable, Sendable {
    package var term: Term
    package var stamp: HeartbeatStamp
    package var commit: LogIndex
    /// Nil where nothing is lent to the receiver.
    package var grant: Grant?

    package init(term: Term, stamp: HeartbeatStamp, commit: LogIndex, grant: Grant? = nil) {
        self.term = term
        self.stamp = stamp
        self.commit = commit
        self.grant = grant
    }
}

/// Never waits for the disk. It promises only what a restart keeps: not to elect another within the lease.
package struct HeartbeatReply: Hashable, Sendable {
    package var term: Term
    package var stamp: HeartbeatStamp
    /// Through here the follower's log is durable and matches the leader's.
    package var matched: LogIndex
    /// Nil from a node that has borrowed nothing and does not want to.
    package var borrower: BorrowerStatement?

    package init(term: Term, stamp: HeartbeatStamp, matched: LogIndex, borrower: BorrowerStatement? = nil) {
        self.term = term
        self.stamp = stamp
        self.matched = matched
        self.borrower = borrower
    }
}

package struct AppendRequest: Hashable, Sendable {
    package var term: Term
    /// The entry just before `entries`.
    package var previous: LogPosition
    package var entries: [Entry]
    package var commit: LogIndex

    package init(term: Term, previous: LogPosition, entries: [Entry], commit: LogIndex) {
        self.term = term
        self.previous = previous
        self.entries = entries
        self.commit = commit
    }
}

package struct AppendReply: Hashable, Sendable {
    package var term: Term
    package var outcome: Outcome

    package enum Outcome: Hashable, Sendable {
        /// Durable and equal to the leader's log through this index. Cumulative.
        case matched(LogIndex)
        /// The log does not hold the `previous` entry whose index was `rejected`. It can match at `hint` at the most.
        case conflict(rejected: LogIndex, hint: LogPosition)
    }

    package init(term: Term, outcome: Outcome) {
        self.term = term
        self.outcome = outcome
    }
}

package struct SnapshotChunk: Hashable, Sendable {
    package var term: Term
    /// The last entry that the snapshot covers.
    package var last: LogPosition
    package var membership: Membership
    /// The whole state's length in bytes.
    package var totalBytes: UInt64
    package var offset: UInt64
    package var bytes: [UInt8]

    package init(
        term: Term, last: LogPosition, membership: Membership, totalBytes: UInt64, offset: UInt64, bytes: [UInt8]
    ) {
        self.term = term
        self.last = last
        self.membership = membership
        self.totalBytes = totalBytes
        self.offset = offset
        self.bytes = bytes
    }
}

package struct SnapshotReply: Hashable, Sendable {
    package var term: Term
    /// Which snapshot.
    package var last: LogPosition
    /// The follower holds all bytes before this offset; a restart takes it back to 0.
    package var received: UInt64

    package init(term: Term, last: LogPosition, received: UInt64) {
        self.term = term
        self.last = last
        self.received = received
    }
}

package struct NewerTerm: Hashable, Sendable {
    package var term: Term
    package init(term: Term) { self.term = term }
}

/// The leader of `term` has given up its lease for good and withdrawn what was tied to it.
package struct LeaseReleased: Hashable, Sendable {
    package var term: Term
    package init(term: Term) { self.term = term }
}

/// Hands leadership over: the receiver campaigns at once, without a pre-vote (dissertation, section 3.10).
/// The sender's lease is released.
package struct CampaignNow: Hashable, Sendable {
    package var term: Term
    package init(term: Term) { self.term = term }
}

/// The leader wants one lease of `Timing.pause`, counted from the sending of this.
package struct LeaseWish: Hashable, Sendable {
    package var term: Term
    /// When it was sent, on the leader's clock; echoed unread.
    package var sentAt: Instant

    package init(term: Term, sentAt: Instant) {
        self.term = term
        self.sentAt = sentAt
    }
}

/// Sent once the promise is durable.
package struct LeaseGrant: Hashable, Sendable {
    package var term: Term
    package var sentAt: Instant

    package init(term: Term, sentAt: Instant) {
        self.term = term
        self.sentAt = sentAt
    }
}

package struct ForwardedProposal: Hashable, Sendable {
    package var id: ProposalID
    package var command: [UInt8]

    package init(id: ProposalID, command: [UInt8]) {
        self.id = id
        self.command = command
    }
}

package struct ProposalRefused: Hashable, Sendable {
    package var id: ProposalID
    package var reason: ProposalFailure

    package init(id: ProposalID, reason: ProposalFailure) {
        self.id = id
        self.reason = reason
    }
}

package struct ReadRequest: Hashable, Sendable {
    package var id: ReadID
    package init(id: ReadID) { self.id = id }
}

package struct ReadReply: Hashable, Sendable {
    package var id: ReadID
    package var outcome: Outcome

    package enum Outcome: Hashable, Sendable {
        /// The read is linearizable at a node that has applied this index.
        case index(LogIndex)
        case refused(ReadFailure)
    }

    package init(id: ReadID, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }
}
