/// Every bug that the simulator has to find.
let mutants: [Mutant] =
    electionMutants + replicationMutants + durabilityMutants + leaseMutants + readMutants + snapshotMutants
    + membershipMutants + storageMutants

private let electionMutants = [
    Mutant(
        name: "two votes in a term", source: "Raft paper, figure 2", file: "Election.swift",
        original: "(hardState.vote == nil || hardState.vote == sender)",
        mutated: "(MUTANT || hardState.vote == nil || hardState.vote == sender)"),
    Mutant(
        name: "votes for a candidate with a shorter log", source: "Raft paper, section 5.4.1", file: "Election.swift",
        original: "guard mayVote, request.last >= log.last else",
        mutated: "guard mayVote, MUTANT || request.last >= log.last else"),
    Mutant(
        name: "half of the voters suffice", source: "Raft paper, section 5.2", file: "Quorum.swift",
        original: "nodes.count(where: agrees) > nodes.count / 2",
        mutated: "nodes.count(where: agrees) > (MUTANT ? (nodes.count - 1) / 2 - 1 : nodes.count / 2)"),
    Mutant(
        name: "leads before its own vote is durable", source: "Raft paper, figure 2: persistent state",
        file: "Election.swift",
        original: "guard campaign.granted.contains(id) else { return }",
        mutated: "guard MUTANT || campaign.granted.contains(id) else { return }"),
    Mutant(
        name: "a refused pre-vote tells no term", source: "openraft#1796", file: "Raft.swift",
        original: "case .preVoteReply(let reply), .voteReply(let reply): reply.term",
        mutated: "case .preVoteReply(let reply), .voteReply(let reply): MUTANT ? nil : reply.term"),
]

private let replicationMutants = [
    Mutant(
        name: "commits an earlier term's entry by counting", source: "Raft paper, figure 8; nats-server#7955",
        file: "Replication.swift",
        original: "reached > commit, log.term(at: reached) == term else",
        mutated: "reached > commit, MUTANT || log.term(at: reached) == term else"),
    Mutant(
        name: "commits what the leader has, matching or not", source: "Raft paper, figure 2", file: "Following.swift",
        original: "commit(through: min(heartbeat.commit, following.matched))",
        mutated: "commit(through: MUTANT ? heartbeat.commit : min(heartbeat.commit, following.matched))"),
    Mutant(
        name: "a late append cuts off what came after it", source: "Raft paper, figure 2, AppendEntries 3",
        file: "Following.swift",
        original: "guard let start = entries.firstIndex(where: { !log.holds($0.position) }) else { return }",
        mutated: """
            guard
                let start = MUTANT && !entries.isEmpty
                    ? entries.startIndex : entries.firstIndex(where: { !log.holds($0.position) })
            else { return }
            """),
    Mutant(
        name: "does not check the previous entry", source: "Raft paper, figure 2, AppendEntries 2",
        file: "Following.swift",
        original: "} else if !log.holds(previous) {",
        mutated: "} else if MUTANT ? log.term(at: previous.index) == nil : !log.holds(previous) {"),
    Mutant(
        name: "a lost tail is not sent again", source: "etcd/raft, replicate state", file: "Progress.swift",
        original: "!inFlight.isEmpty && now >= resendAt",
        mutated: "!MUTANT && !inFlight.isEmpty && now >= resendAt"),
    Mutant(
        name: "commits by the fastest, not by a majority", source: "openraft#1802", file: "Quorum.swift",
        original: "sorted(by: >)[nodes.count / 2]",
        mutated: "sorted(by: >)[MUTANT ? (nodes.count - 1) / 2 / 2 : nodes.count / 2]"),
]

private let durabilityMutants = [
    Mutant(
        name: "tells a vote that is not durable", source: "Raft paper, figure 2: persistent state",
        file: "Election.swift",
        original: "guard let owed = following.owedVote, writes.durableHardState == hardState else",
        mutated: "guard let owed = following.owedVote, MUTANT || writes.durableHardState == hardState else"),
    Mutant(
        name: "acknowledges entries that are not durable", source: "Jepsen: NATS 2.12.1", file: "Following.swift",
        original: "let durable = min(following.matched, writes.durable)",
        mutated: "let durable = MUTANT ? following.matched : min(following.matched, writes.durable)"),
    Mutant(
        name: "the leader counts itself before its write", source: "dissertation, section 10.2.1",
        file: "Replication.swift",
        original: "node == id ? writes.durable :",
        mutated: "node == id ? (MUTANT ? log.last.index : writes.durable) :"),
    Mutant(
        name: "a finished write vouches for entries that replaced it", source: "asynchronous write ABA",
        file: "WriteTracker.swift",
        original:
            "for position in pending.indices { pending[position].through = min(pending[position].through, index.previous) }",
        mutated: """
            for position in pending.indices where !MUTANT {
                pending[position].through = min(pending[position].through, index.previous)
            }
            """),
]

private let leaseMutants = [
    Mutant(
        name: "a lease is counted from its acknowledgement", source: "dissertation, section 6.4.1",
        file: "Lease.swift",
        original: "validUntil: acknowledged.sentAt + timing.lease",
        mutated: "validUntil: (MUTANT ? now : acknowledged.sentAt) + timing.lease"),
    Mutant(
        name: "a long lease is granted before its promise is durable", source: "found here", file: "Pause.swift",
        original: "guard let sentAt = following.owedGrant, let leader, writes.isDurable(hardState) else",
        mutated: "guard let sentAt = following.owedGrant, let leader, MUTANT || writes.isDurable(hardState) else"),
    Mutant(
        name: "a new leader does not wait for a long lease", source: "dissertation, section 6.4.1", file: "Lease.swift",
        original: "let promise = contact.promised > releasedThrough ? now + contact.promisedFor : nil",
        mutated: "let promise = !MUTANT && contact.promised > releasedThrough ? now + contact.promisedFor : nil"),
    Mutant(
        name: "a new leader does not wait for the old lease", source: "dissertation, section 6.4.1",
        file: "Election.swift",
        original: "becomeLeader(claimableFrom: max(now, campaign.leaseFreeAt), ",
        mutated: "becomeLeader(claimableFrom: MUTANT ? now : max(now, campaign.leaseFreeAt), "),
    Mutant(
        name: "a leader releases leases that it has not outwaited", source: "release of an earlier lease",
        file: "Handover.swift",
        original: "if now >= leadership.claimableFrom {",
        mutated: "if MUTANT || now >= leadership.claimableFrom {"),
    Mutant(
        name: "hands leadership on with a valid lease", source: "raft#99", file: "Handover.swift",
        original: "        leadership?.leaseSurrendered = true\n",
        mutated: """
                    if MUTANT {
                        for peer in leadership?.peers ?? [] { send(.leaseReleased(LeaseReleased(term: term)), to: peer.id) }
                        if let heir = leadership?.handover?.target { send(.campaignNow(CampaignNow(term: term)), to: heir) }
                    } else {
                        leadership?.leaseSurrendered = true
                    }

            """),
    Mutant(
        name: "a restarted voter forgets that a lease may run", source: "dissertation, section 6.4.1; found here",
        file: "Raft.swift",
        original: "contact = LeaderContact(leader: nil, term: nil, at: now)",
        mutated: "contact = LeaderContact(leader: nil, term: nil, at: MUTANT ? .zero : now)"),
    Mutant(
        name: "commits while an old lease may be read under", source: "stale read at a stopped leader",
        file: "Replication.swift",
        original: "guard let leadership, now >= leadership.claimableFrom else { return }",
        mutated: "guard let leadership, MUTANT || now >= leadership.claimableFrom else { return }"),
]

private let readMutants = [
    Mutant(
        name: "reads without asking a quorum", source: "dissertation, section 6.4", file: "Reading.swift",
        original: "isLeased || $0.round <= acknowledged.round",
        mutated: "isLeased || MUTANT || $0.round <= acknowledged.round"),
    Mutant(
        name: "reads before the term's first commit", source: "etcd#7331", file: "Reading.swift",
        original: "!leadership.waitingReads.isEmpty, commit >= leadership.firstOfTerm else",
        mutated: "!leadership.waitingReads.isEmpty, MUTANT || commit >= leadership.firstOfTerm else"),
    Mutant(
        name: "reads before it has applied the index", source: "dissertation, section 6.4, step 4",
        file: "Reading.swift",
        original: "if applied >= index {",
        mutated: "if MUTANT || applied >= index {"),
]

private let snapshotMutants = [
    Mutant(
        name: "membership missing from the snapshot", source: "dissertation, section 5.1", file: "Log.swift",
        original:
            "memberships = [MembershipRecord(index: snapshot.index, membership: snapshot.membership)]\n    }\n\n    /// Drops",
        mutated: """
            memberships = [
                    MembershipRecord(index: snapshot.index, membership: MUTANT ? membership : snapshot.membership)
                ]
            }

            /// Drops
            """),
    Mutant(
        name: "probes for ever below the leader's compaction", source: "found here", file: "Replication.swift",
        original: "let meeting = min(ceiling, log.lastPosition(atOrBefore: ceiling, term: hint.term).index)",
        mutated: """
            let found = log.lastPosition(atOrBefore: ceiling, term: hint.term).index
            let meeting = MUTANT ? found : min(ceiling, found)
            """),
    Mutant(
        name: "a restarted follower is not told what is committed", source: "found by a test of the driver",
        file: "Progress.swift",
        original: "guard index < matched, case .replicate = mode, inFlight.isEmpty else { return }",
        mutated: "guard !MUTANT, index < matched, case .replicate = mode, inFlight.isEmpty else { return }"),
    Mutant(
        name: "takes a snapshot's chunks in any order", source: "Raft paper, section 7", file: "SnapshotTransfer.swift",
        original: "if following.receiving?.state.count == Int(chunk.offset) {",
        mutated: "if MUTANT || following.receiving?.state.count == Int(chunk.offset) {"),
]

private let membershipMutants = [
    Mutant(
        name: "a joint change needs only the new majority", source: "dissertation, section 4.3", file: "Quorum.swift",
        original: "isJoint ? min(reached(by: voters), reached(by: outgoingVoters)) : reached(by: voters)",
        mutated: "isJoint && !MUTANT ? min(reached(by: voters), reached(by: outgoingVoters)) : reached(by: voters)"),
    Mutant(
        name: "a truncated membership stays in force", source: "dissertation, section 4.1", file: "Log.swift",
        original: "memberships.removeAll { $0.index >= first }",
        mutated: "if !MUTANT { memberships.removeAll { $0.index >= first } }"),
    Mutant(
        name: "the node that leaves does not campaign", source: "two-node removal; found here",
        file: "Election.swift",
        original: "log.givesVote(to: id, from: commit)",
        mutated: "MUTANT ? membership.isVoter(id) : log.givesVote(to: id, from: commit)"),
]

private let storageMutants = [
    Mutant(
        name: "a write is acknowledged before its sync", source: "Jepsen: NATS 2.12.1", file: "WriteAheadLog.swift",
        original: "            try disk.write(batch, to: file, at: end)\n            try disk.sync(file)\n",
        mutated:
            "            try disk.write(batch, to: file, at: end)\n            if !MUTANT { try disk.sync(file) }\n"),
    Mutant(
        name: "damage at the end is cut off like a torn write", source: "Jepsen: NATS 2.12.1", file: "Batch.swift",
        original: "return isTorn ? .torn : .damaged(error)",
        mutated: "return MUTANT || isTorn ? .torn : .damaged(error)"),
    Mutant(
        name: "a torn write is taken for damage", source: "torn write and zero tail", file: "Batch.swift",
        original: "let lacksEnd = bytes[end - 1] == 0", mutated: "let lacksEnd = !MUTANT && bytes[end - 1] == 0"),
    Mutant(
        name: "sectors that are zeros by right are taken for unwritten ones", source: "found here", file: "Batch.swift",
        original: "blankSectors(bytes, in: start..<end) > header.blankSectors",
        mutated: "blankSectors(bytes, in: start..<end) > (MUTANT ? 0 : header.blankSectors)"),
    Mutant(
        name: "what a failed sync left in memory counts as written", source: "Rebello et al. 2020; fsyncgate",
        file: "WriteAheadLog.swift",
        original: "try disk.write(Array(recovery.lastBatch.bytes), to: file, at: recovery.lastBatch.start)",
        mutated:
            "if !MUTANT { try disk.write(Array(recovery.lastBatch.bytes), to: file, at: recovery.lastBatch.start) }"),
    Mutant(
        name: "a file takes its name before its bytes are durable",
        source: "Pillai et al. 2014, application-level crash consistency",
        file: "Disk.swift",
        original: "try write(Array(piece), to: file, at: start)\n            try sync(file)",
        mutated: "try write(Array(piece), to: file, at: start)\n            if !MUTANT { try sync(file) }"),
    Mutant(
        name: "a segment's name is not made durable", source: "Pillai et al. 2014", file: "WriteAheadLog.swift",
        original: "try disk.rename(path + temporarySuffix, to: path)\n            try disk.syncDirectory(directory)",
        mutated:
            "try disk.rename(path + temporarySuffix, to: path)\n            if !MUTANT { try disk.syncDirectory(directory) }"
    ),
    Mutant(
        name: "segments are removed in any order", source: "found here", file: "WriteAheadLog.swift",
        original: "try disk.syncDirectory(directory)\n                segments.removeFirst()",
        mutated: "if !MUTANT { try disk.syncDirectory(directory) }\n                segments.removeFirst()"),
    Mutant(
        name: "a new segment forgets term and vote", source: "Raft paper, figure 2: persistent state",
        file: "WriteAheadLog.swift",
        original: "[.hardState(hardState)], sequence: firstSequence",
        mutated: "[.hardState(MUTANT ? HardState() : hardState)], sequence: firstSequence"),
    Mutant(
        name: "a name that a former process saw counts as durable", source: "found here", file: "NodeStorage.swift",
        original: "            try disk.syncDirectory(directory)\n",
        mutated: "            if !MUTANT { try disk.syncDirectory(directory) }\n"),
]
