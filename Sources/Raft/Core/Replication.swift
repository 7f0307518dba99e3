import Posix

/// The way of entries from the leader to the others, and to commitment (Raft paper, sections 5.3 and 5.4).
extension Raft {
    /// Proposes a command at any node. It may fail through `Ready.failedProposals`; otherwise it is done when an
    /// entry with this id is applied. Messages may be lost: the host bounds its waiting.
    package mutating func propose(_ id: ProposalID, _ command: [UInt8], at now: Instant) {
        advanceClock(to: now)
        if leadership == nil, let leader, command.count <= limits.proposalBytes {
            send(.proposal(ForwardedProposal(id: id, command: command)), to: leader)
        } else if let reason = accept(id, command) {
            fail(id, reason)
        }
    }

    mutating func handleForwardedProposal(_ proposal: ForwardedProposal, from sender: NodeID) {
        if let reason = accept(proposal.id, proposal.command) {
            send(.proposalRefused(ProposalRefused(id: proposal.id, reason: reason)), to: sender)
        } else {
            noteWaiting(at: sender, for: log.last.index)
        }
    }

    private mutating func accept(_ id: ProposalID, _ command: [UInt8]) -> ProposalFailure? {
        guard let leadership else { return .notLeader(leader: leader) }
        if command.count > limits.proposalBytes { return .tooLarge }
        if leadership.handover != nil { return .handingOver }
        if leadership.uncommittedWeight >= limits.uncommittedBytes { return .overloaded }
        appendAsLeader(.command(id, command))
        return nil
    }

    mutating func appendAsLeader(_ payload: Entry.Payload) {
        let entry = Entry(term: term, index: log.last.index.next, payload: payload)
        log.append(entry)
        leadership?.uncommittedWeight += entry.weight
    }

    /// When what is sent now counts as lost.
    var resendAt: Instant { now + timing.electionMinimum }

    /// Sends each member what it lacks, as far as its window reaches.
    mutating func sendAppends() {
        guard let members = leadership?.peers.indices else { return }
        for position in members {
            sendAppends(to: position)
            sendCommit(to: position)
        }
        let isOwed = leadership?.peers.contains { $0.sentCommit < commit } == true
        if !isOwed { leadership?.commitNoticeDue = .distantFuture }
    }

    private mutating func sendAppends(to position: Int) {
        let resendAt = self.resendAt
        while let peer = leadership?.peers[position] {
            switch peer.mode {
            case .probe: if now < peer.resendAt { return }
            case .replicate: if peer.next > end(of: peer) || !peer.hasRoom(within: limits) { return }
            case .snapshot: return sendSnapshotChunks(to: position)
            }
            guard let previous = log.term(at: peer.next.previous) else {
                guard let snapshot = log.snapshot else { return }
                leadership?.peers[position].send(snapshot)
                continue
            }
            let lacking = max(0, Int(end(of: peer).number) - Int(peer.next.previous.number))
            let count = min(lacking, limits.messageEntries)
            let entries = log.entries(from: peer.next, count: count, weight: limits.messageBytes)
            let request = AppendRequest(
                term: term, previous: LogPosition(term: previous, index: peer.next.previous), entries: entries,
                commit: commit)
            send(.appendRequest(request), to: peer.id)
            leadership?.peers[position].sent(entries, resendAt: resendAt)
            leadership?.peers[position].sentCommit = commit
        }
    }

    /// The last entry that a member is to get.
    private func end(of peer: Progress) -> LogIndex { peer.departure?.through ?? log.last.index }

    /// A commit that no append carries goes out by itself, under the newest round's stamp: when it is due, or at once
    /// where somebody waits for it.
    private mutating func sendCommit(to position: Int) {
        guard let leadership else { return }
        let peer = leadership.peers[position]
        let wanted = now >= leadership.commitNoticeDue ? commit : min(commit, peer.awaitedCommit)
        guard peer.sentCommit < wanted else { return }
        self.leadership?.peers[position].sentCommit = commit
        send(.heartbeat(Heartbeat(term: term, stamp: leadership.stamp, commit: commit)), to: peer.id)
    }

    /// Somebody waits at `member` until `index` is committed.
    mutating func noteWaiting(at member: NodeID, for index: LogIndex) {
        guard let position = leadership?.index(of: member), let peer = leadership?.peers[position] else { return }
        leadership?.peers[position].awaitedCommit = max(peer.awaitedCommit, index)
    }

    mutating func handleAppendReply(_ reply: AppendReply, from sender: NodeID) {
        guard reply.term == term, let position = leadership?.index(of: sender) else { return }
        leadership?.peers[position].lastContact = now
        switch reply.outcome {
        case .matched(let index):
            noteMatch(index, of: position, byAppend: true)
        case .conflict(let rejected, let hint):
            handleConflict(rejected: rejected, hint: hint, of: position)
        }
    }

    /// A member's durable and matching log only grows within a term: older news changes nothing.
    mutating func noteMatch(_ index: LogIndex, of position: Int, byAppend: Bool) {
        guard index <= log.last.index else { return }
        let resendAt = self.resendAt
        let isNews = leadership?.peers[position].match(through: index, resendAt: resendAt) == true
        if byAppend { leadership?.peers[position].accepted() }
        guard isNews else { return }
        advanceCommit()
        continueHandover()
    }

    private mutating func handleConflict(rejected: LogIndex, hint: LogPosition, of position: Int) {
        guard let peer = leadership?.peers[position], rejected > peer.matched else { return }
        switch peer.mode {
        case .probe: guard rejected == peer.next.previous else { return }
        case .replicate: guard rejected < peer.next else { return }
        case .snapshot: return
        }
        let ceiling = min(hint.index, rejected.previous)
        // Where the ceiling lies in the compacted part, so does the place from which the member needs entries.
        let meeting = min(ceiling, log.lastPosition(atOrBefore: ceiling, term: hint.term).index)
        leadership?.peers[position].probe(from: meeting.next)
    }

    /// Commits the newest entry of this term that a majority holds durably, and with it all before (paper, 5.4.2:
    /// entries of earlier terms are never committed by counting). The leader counts like any other: once durable.
    mutating func advanceCommit() {
        guard let leadership, now >= leadership.claimableFrom else { return }
        let reached = membership.majorityValue { node in
            node == id ? writes.durable : leadership.progress(of: node)?.matched ?? .zero
        }
        guard let reached, reached > commit, log.term(at: reached) == term else { return }
        let committed = log.entries(commit.next, through: reached).reduce(0) { $0 + $1.weight }
        let noticeDue = min(leadership.commitNoticeDue, now + timing.commitNotice)
        self.leadership?.uncommittedWeight -= committed
        self.leadership?.commitNoticeDue = noticeDue
        commit(through: reached)
        serveWaitingReads()
        continueMembershipChange()
    }
}
