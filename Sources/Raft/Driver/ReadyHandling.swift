import Posix

/// Does what the core asks for, in the order that `Ready` prescribes.
extension ConsensusLoop {
    /// Rounds of `ready()` in one turn; what is left comes in the next one, after the sockets.
    private static var roundLimit: Int { 16 }

    func carryOutAll() {
        for _ in 0..<Self.roundLimit {
            let ready = raft.ready()
            hasMore = !ready.isEmpty
            if !hasMore { break }
            carryOut(ready)
        }
        if !isBeingSuspended, snapshots.begin() { takeSnapshot() }
    }

    private func carryOut(_ ready: Ready) {
        if let term = ready.surrenderedLease { host.surrendered(lease: term) }
        for envelope in ready.messages { send(envelope) }
        if let ticket = ready.write {
            writes.add(ticket.id, at: now)
            submit(.write(ticket))
        }
        if let snapshot = ready.restore { restore(snapshot) }
        if let last = ready.committed.last {
            for entry in ready.committed { apply(entry) }
            raft.applied(through: last.index, at: now)
        }
        for read in ready.servedReads { reads.served(read.id, index: read.index) }
        for read in ready.failedReads { reads.failed(read.id, read.reason, again: now + options.timing.heartbeat) }
        for proposal in ready.failedProposals { refused(proposal.id, proposal.reason) }
    }

    private func send(_ envelope: Envelope) {
        if transport.send(envelope.message, to: envelope.to) { return }
        // Raft repeats all but a forwarded proposal, which might be appended twice. This one was not sent even once.
        if case .proposal(let proposal) = envelope.message { refused(proposal.id, .notLeader(leader: envelope.to)) }
    }

    private func refused(_ proposal: ProposalID, _ reason: ProposalFailure) {
        proposals.failed(
            proposal, reason, again: now + options.timing.heartbeat, limit: options.limits.proposalBytes)
    }

    private func apply(_ entry: Entry) {
        switch entry.payload {
        case .noop, .membership:
            snapshots.applied(commandBytes: 0)
        case .command(let id, let command):
            let outcome = host.apply(command, at: entry.position)
            snapshots.applied(commandBytes: command.count)
            proposals.applied(id, outcome)
        }
    }

    private func restore(_ snapshot: Snapshot) {
        do throws(RestoreFailure) {
            try host.restore(snapshot.state, through: snapshot.index)
        } catch {
            return fail(.restore(error))
        }
        Log.info(
            "raft: took over a snapshot through index \(snapshot.index) of \(snapshot.state.count) bytes",
            [.event("snapshot-installed"), .index(snapshot.index.number), .bytes(snapshot.state.count)])
        raft.applied(through: snapshot.index, at: now)
        proposals.restored()
    }

    private func takeSnapshot() {
        submit(.snapshot(raft.snapshot(ofAppliedState: []), state: host.snapshotEncoder()))
    }

    /// After a failure nothing goes to the disk any more, so nothing that waits for it is ever said.
    func submit(_ job: DiskThread<FileSystem>.Job) {
        guard !hasFailed else { return }
        if !disk.submit(job) {
            fail(.storage(.behind))
        }
    }
}
