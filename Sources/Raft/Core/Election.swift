import Posix

/// An attempt to become leader.
struct Campaign: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case preVote
        case vote
    }

    var kind: Kind
    /// Tells the replies to this attempt from those to others.
    var attempt: UInt64
    /// Who granted, each counted once, this node included once its own vote is durable.
    var granted: Set<NodeID> = []
    /// When the voters that have not answered are asked again.
    var retryAt: Instant
    /// When, as far as the granting voters know, no other leader can hold a lease any more.
    var leaseFreeAt = Instant.zero
    /// The newest term that a granting voter led or heard a leader of; nil once one of them may have forgotten a leader
    /// whose grants are not over yet.
    var newestLed: Term? = .zero
}

/// Campaigns and votes (Raft paper, section 5.2; pre-vote: dissertation, section 9.6).
extension Raft {
    /// A voter, also one whose removal is not known to be committed: the others may need its log to commit it
    /// (dissertation, section 4.2.2).
    var mayCampaign: Bool { log.givesVote(to: id, from: commit) }

    mutating func tickElection() {
        if now >= electionDeadline {
            leader = nil
            if writes.durableHardState == hardState {
                startPreVote()
            } else {
                // A disk that has not written the last vote yet would only make terms pass by.
                electionDeadline = drawElectionDeadline()
            }
        } else if let campaign, now >= campaign.retryAt {
            requestVotes()
        }
    }

    /// Adopts `term`, which is the present or a newer one, and gives up any leadership or campaign.
    mutating func becomeFollower(in term: Term, of leader: NodeID?) {
        if leadership != nil || campaign != nil {
            // A former leader's successor counts on it: see `Leadership.predecessor`.
            if leadership != nil { borrowed = nil }
            leadership.map { failWaitingReads($0, leader: leader) }
            leadership = nil
            campaign = nil
            electionDeadline = drawElectionDeadline()
        }
        if term > self.term {
            hardState = HardState(term: term, vote: nil, promised: livingPromise?.term ?? .zero)
            following = Following(matched: commit)
        }
        self.leader = leader
    }

    mutating func startPreVote() {
        campaign = Campaign(kind: .preVote, attempt: random.next(), granted: [id], retryAt: now)
        electionDeadline = drawElectionDeadline()
        requestVotes()
        countVotes()
    }

    mutating func startCampaign() {
        becomeFollower(in: term.next, of: nil)
        hardState.vote = id
        campaign = Campaign(kind: .vote, attempt: random.next(), retryAt: now)
        electionDeadline = drawElectionDeadline()
        requestVotes()
    }

    /// Asks those who have not granted yet.
    private mutating func requestVotes() {
        guard var campaign else { return }
        // The others get their proof of the leader's death at about the same time: asking soon again saves a timeout.
        let isUrgent = contact.isGone && now - contact.at < timing.electionMaximum
        campaign.retryAt = now + (isUrgent ? timing.evidenceStagger / 2 : timing.heartbeat)
        self.campaign = campaign
        let request = VoteRequest(
            term: term, attempt: campaign.attempt, last: log.last, releasedThrough: releasedThrough)
        for voter in membership.allVoters where voter != id && !campaign.granted.contains(voter) {
            switch campaign.kind {
            case .preVote: send(.preVoteRequest(request), to: voter)
            case .vote: send(.voteRequest(request), to: voter)
            }
        }
    }

    /// Grants without changing anything here, the election deadline included (hashicorp/raft#609).
    mutating func handlePreVoteRequest(_ request: VoteRequest, from sender: NodeID) {
        let granted = request.term >= term && request.last >= log.last && !hearsLeader(knowing: request)
        let reply = VoteReply(term: term, attempt: request.attempt, granted: granted, contact: contactAge)
        send(.preVoteReply(reply), to: sender)
    }

    mutating func handleVoteRequest(_ request: VoteRequest, from sender: NodeID) {
        guard request.term >= term, !hearsLeader(knowing: request) else {
            return refuse(request, from: sender)
        }
        if request.term > term { becomeFollower(in: request.term, of: nil) }
        let mayVote = leader == nil && (hardState.vote == nil || hardState.vote == sender)
        guard mayVote, request.last >= log.last else { return refuse(request, from: sender) }
        hardState.vote = sender
        electionDeadline = drawElectionDeadline()
        following.owedVote = OwedVote(candidate: sender, attempt: request.attempt)
        sendOwedVote()
    }

    private mutating func refuse(_ request: VoteRequest, from sender: NodeID) {
        let reply = VoteReply(term: term, attempt: request.attempt, granted: false, contact: contactAge)
        send(.voteReply(reply), to: sender)
    }

    /// A vote is told once it is durable.
    mutating func sendOwedVote() {
        guard let owed = following.owedVote, writes.durableHardState == hardState else { return }
        following.owedVote = nil
        let reply = VoteReply(term: term, attempt: owed.attempt, granted: true, contact: contactAge)
        send(.voteReply(reply), to: owed.candidate)
    }

    mutating func handleVoteReply(_ reply: VoteReply, kind: Campaign.Kind, from sender: NodeID) {
        guard reply.granted, campaign?.kind == kind, campaign?.attempt == reply.attempt else { return }
        countGrant(of: sender, contact: reply.contact)
    }

    /// The own vote counts once it is durable, like any other.
    mutating func countOwnVote() {
        guard campaign?.kind == .vote, campaign?.granted.contains(id) == false else { return }
        guard writes.durableHardState == hardState else { return }
        countGrant(of: id, contact: contactAge)
    }

    private mutating func countGrant(of voter: NodeID, contact: ContactAge) {
        guard var campaign else { return }
        campaign.granted.insert(voter)
        campaign.leaseFreeAt = max(campaign.leaseFreeAt, leaseFree(after: contact) ?? .zero)
        let remembers = contact.memory >= timing.leaseGuard * 2
        campaign.newestLed = remembers ? campaign.newestLed.map { max($0, contact.newest) } : nil
        self.campaign = campaign
        countVotes()
    }

    private mutating func countVotes() {
        guard let campaign, membership.hasMajority(where: campaign.granted.contains) else { return }
        switch campaign.kind {
        case .preVote: startCampaign()
        case .vote:
            // Without a durable own vote a crash could let this node win the same term a second time.
            guard campaign.granted.contains(id) else { return }
            let heardNewest = contact.term != nil && contact.term == campaign.newestLed
            becomeLeader(claimableFrom: max(now, campaign.leaseFreeAt), after: heardNewest ? contact.leader : nil)
        }
    }

    private mutating func becomeLeader(claimableFrom: Instant, after predecessor: NodeID?) {
        campaign = nil
        newestLed = term
        leader = id
        leadership = Leadership(
            log: log, commit: commit, self: id, claimableFrom: claimableFrom, predecessor: predecessor, now: now)
        appendAsLeader(.noop)
        leadership?.heartbeatWanted = true
    }

    /// The host has proof that the process of `node` is gone, not merely silent.
    package mutating func leaderProcessGone(_ node: NodeID, at now: Instant) {
        advanceClock(to: now)
        guard leadership == nil, contact.leader == node, !contact.isGone else { return }
        contact.isGone = true
        leader = nil
        campaignSoon(after: node, steps: 0)
    }

    /// `node`, which led in `term`, has given up what was tied to its lease, as another process of it tells: because its
    /// own process is gone, and the lease with it, or else by the clock alone. Then its process may believe in a longer
    /// lease, so nothing is concluded but that a successor is wanted as soon as one may be elected.
    package mutating func leaderReleased(_ term: Term, by node: NodeID, processGone: Bool, at now: Instant) {
        advanceClock(to: now)
        if processGone { releasedThrough = max(releasedThrough, term) }
        guard leadership == nil, contact.leader == node, contact.term == term else { return }
        if processGone {
            contact.isGone = true
            leader = nil
            campaignSoon(after: node, steps: 0)
        } else if campaign == nil, let stagger = stagger(after: node) {
            let votable = max(contact.at + timing.leaseGuard, livingPromise?.until ?? .zero)
            electionDeadline = min(electionDeadline, max(self.now, votable) + stagger)
        }
    }

    /// The voters other than `node` campaign one step after the other, so that the first one wins undisturbed.
    mutating func campaignSoon(after node: NodeID, steps: UInt64) {
        guard campaign == nil else {
            campaign?.retryAt = now
            return
        }
        guard let stagger = stagger(after: node) else { return }
        electionDeadline = min(electionDeadline, now + stagger + timing.evidenceStagger * steps)
    }
}
