import Posix

/// One node's part of the Raft algorithm: a value without clock, I/O, threads or randomness of its own.
///
/// Events go in through the methods below, each with the present instant of the node's clock; then `ready()` tells
/// what to do. Calls may be batched: one `ready()` after many events costs one message a peer and one write.
///
/// The way of an entry: `propose` appends it at the leader; `ready` sends it (Replication.swift) and has it written;
/// followers append it and reply once it is durable (Following.swift); a majority of replies commits it
/// (Replication.swift); `ready` hands it out to be applied.
package struct Raft: Hashable, Sendable {
    let settings: Settings
    var random: SplitMix64
    /// The latest instant that the core was told.
    var now: Instant

    package internal(set) var hardState: HardState
    var log: RaftLog
    var writes: WriteTracker
    package internal(set) var commit: LogIndex
    /// Handed out to be applied through here, and applied through here.
    var handedOut: LogIndex
    package internal(set) var applied: LogIndex

    var leader: NodeID?
    var following: Following
    var campaign: Campaign?
    var leadership: Leadership?
    /// When a voter that is not a leader campaigns.
    var electionDeadline: Instant
    var contact: LeaderContact
    /// Every lease of this and earlier terms has been given up.
    var releasedThrough = Term.zero
    var promise: LeasePromise?
    /// Nodes that shall lead only when no other can.
    var spared: Set<NodeID> = []
    /// Of this node or another, since the start.
    var newestLed = Term.zero
    let startedAt: Instant
    var borrowed: Borrowed?
    /// Nil until the host takes part in lending.
    var wish: BorrowerWish?
    /// This process, as those who lend to it know it. One that takes another's place goes on with what that was granted.
    var boot: UInt64
    /// The log was known through here at the start, without knowing what of it is committed.
    let recoveredThrough: LogIndex

    var readsAwaitingApply: [ServedRead] = []
    var output = Ready()

    /// - Parameter continuation: of the process whose place this one takes; nil for any other start.
    package init(
        _ settings: Settings, recovered: RecoveredState, continuing continuation: Continuation? = nil, at now: Instant
    ) {
        self.settings = settings
        random = SplitMix64(seed: settings.seed)
        boot = settings.seed
        self.now = now
        hardState = recovered.hardState
        log = RaftLog(recovered: recovered)
        writes = WriteTracker(recovered: hardState, log: log)
        commit = log.base.index
        recoveredThrough = log.last.index
        startedAt = now
        handedOut = commit
        applied = commit
        following = Following(matched: commit)
        contact = LeaderContact(leader: nil, term: nil, at: now)
        electionDeadline = now
        if hardState.promised > .zero {
            promise = LeasePromise(term: hardState.promised, until: now + settings.timing.pauseGuard)
        }
        electionDeadline = drawElectionDeadline()
        if let continuation { resume(continuation) }
    }

    package var id: NodeID { settings.id }
    var timing: Timing { settings.timing }
    var limits: Limits { settings.limits }
    package var term: Term { hardState.term }
    package var membership: Membership { log.membership }
    package var last: LogPosition { log.last }
    package var snapshotIndex: LogIndex { log.snapshot?.index ?? .zero }

    package var role: Role {
        if leadership != nil { return .leader }
        switch campaign?.kind {
        case .preVote: return .preCandidate
        case .vote: return .candidate
        case nil: return .follower
        }
    }

    /// When `tick` wants to be called at the latest.
    package var nextDeadline: Instant {
        if handedOut < commit { return now }
        if let leadership { return leadership.nextDeadline(now: now, commit: commit, last: log.last.index) }
        guard mayCampaign else { return .distantFuture }
        return min(electionDeadline, campaign?.retryAt ?? .distantFuture)
    }

    /// Takes a message from another node. The host vouches for `sender`.
    package mutating func step(_ message: Message, from sender: NodeID, at now: Instant) {
        advanceClock(to: now)
        guard sender != id, message.isPlausible else { return }
        if let term = message.adoptedTerm, term > self.term { becomeFollower(in: term, of: nil) }
        switch message {
        case .preVoteRequest(let request): handlePreVoteRequest(request, from: sender)
        case .preVoteReply(let reply): handleVoteReply(reply, kind: .preVote, from: sender)
        case .voteRequest(let request): handleVoteRequest(request, from: sender)
        case .voteReply(let reply): handleVoteReply(reply, kind: .vote, from: sender)
        case .heartbeat(let heartbeat): handleHeartbeat(heartbeat, from: sender)
        case .heartbeatReply(let reply): handleHeartbeatReply(reply, from: sender)
        case .appendRequest(let request): handleAppendRequest(request, from: sender)
        case .appendReply(let reply): handleAppendReply(reply, from: sender)
        case .snapshotChunk(let chunk): handleSnapshotChunk(chunk, from: sender)
        case .snapshotReply(let reply): handleSnapshotReply(reply, from: sender)
        case .newerTerm: break
        case .leaseReleased(let released): handleLeaseReleased(released, from: sender)
        case .campaignNow(let order): handleCampaignNow(order, from: sender)
        case .leaseWish(let wish): handleLeaseWish(wish, from: sender)
        case .leaseGrant(let grant): handleLeaseGrant(grant, from: sender)
        case .proposal(let proposal): handleForwardedProposal(proposal, from: sender)
        case .proposalRefused(let refusal): fail(refusal.id, refusal.reason)
        case .readRequest(let request): handleReadRequest(request, from: sender)
        case .readReply(let reply): handleReadReply(reply)
        }
    }

    /// Tells the time. Harmless when called early.
    package mutating func tick(at now: Instant) {
        advanceClock(to: now)
        expireLoans()
        if leadership != nil {
            tickLeader()
        } else if mayCampaign {
            tickElection()
        }
    }

    /// All tickets up to and with this one are durable.
    package mutating func persisted(_ ticket: WriteTicket.ID, at now: Instant) {
        advanceClock(to: now)
        writes.finished(through: ticket)
        sendOwedVote()
        sendOwedGrant()
        countOwnVote()
        advanceCommit()
    }

    /// The state machine holds everything through `index`.
    package mutating func applied(through index: LogIndex, at now: Instant) {
        advanceClock(to: now)
        applied = max(applied, min(index, handedOut))
        serveAppliedReads()
    }

    /// Collects what has to be done since the last call.
    package mutating func ready() -> Ready {
        if leadership != nil {
            sendWantedHeartbeats()
            sendAppends()
        } else {
            acknowledgeAppends()
        }
        output.write = writes.nextTicket(hardState: hardState, log: log)
        let through = min(commit, LogIndex(handedOut.number + UInt64(limits.appliesPerReady)))
        output.committed = Array(log.entries(handedOut.next, through: through))
        handedOut = through
        defer { output = Ready() }
        return output
    }

    mutating func advanceClock(to now: Instant) { self.now = max(self.now, now) }

    mutating func send(_ message: Message, to node: NodeID) {
        output.messages.append(Envelope(to: node, message: message))
    }

    mutating func fail(_ proposal: ProposalID, _ reason: ProposalFailure) {
        output.failedProposals.append(FailedProposal(id: proposal, reason: reason))
    }

    /// The commit index never falls and never leaves the log.
    mutating func commit(through index: LogIndex) {
        commit = max(commit, min(index, log.last.index))
    }
}

extension Message {
    /// Terms and indexes beyond this come from no cluster, and adding to them might overflow.
    private static let numberLimit: UInt64 = 1 << 62

    fileprivate var isPlausible: Bool {
        let highest: UInt64
        switch self {
        case .preVoteRequest(let request), .voteRequest(let request):
            highest = max(request.term.number, request.last.index.number, request.releasedThrough.number)
        case .appendRequest(let request): highest = max(request.term.number, request.previous.index.number)
        case .snapshotChunk(let chunk): highest = max(chunk.term.number, chunk.last.index.number)
        case .heartbeat, .heartbeatReply, .preVoteReply, .voteReply, .appendReply, .snapshotReply, .newerTerm,
            .leaseReleased, .campaignNow, .leaseWish, .leaseGrant, .proposal, .proposalRefused, .readRequest,
            .readReply:
            highest = adoptedTerm?.number ?? 0
        }
        return highest < Self.numberLimit
    }

    /// The term that the receiver adopts where it is newer. Requests for votes are judged first: a voter that hears
    /// its leader does not let them disturb it (dissertation, section 4.2.3), and a pre-vote changes nothing.
    fileprivate var adoptedTerm: Term? {
        switch self {
        case .preVoteRequest, .voteRequest: nil
        case .proposal, .proposalRefused, .readRequest, .readReply: nil
        case .preVoteReply(let reply), .voteReply(let reply): reply.term
        case .heartbeat(let heartbeat): heartbeat.term
        case .heartbeatReply(let reply): reply.term
        case .appendRequest(let request): request.term
        case .appendReply(let reply): reply.term
        case .snapshotChunk(let chunk): chunk.term
        case .snapshotReply(let reply): reply.term
        case .newerTerm(let notice): notice.term
        case .leaseReleased(let released): released.term
        case .campaignNow(let order): order.term
        case .leaseWish(let wish): wish.term
        case .leaseGrant(let grant): grant.term
        }
    }
}
