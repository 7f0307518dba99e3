import Posix
import Raft

/// What must hold after every step (Raft paper, figure 3, and the promises of leases and durability).
struct Invariants {
    private struct LeaderOfTerm {
        var position: Int
        var boot: Int
    }

    /// The highest that each process has reached.
    private struct Reached {
        var term = Term.zero
        var commit = LogIndex.zero
        var applied = LogIndex.zero
    }

    private(set) var violationText: String?
    private var leaders: [Term: LeaderOfTerm] = [:]
    private var reached: [Int: Reached] = [:]
    private var lastSeen: [Int: LogPosition] = [:]
    /// All entries ever committed, in order, and the term of who committed them first.
    private(set) var committed: [(entry: Entry, by: Term)] = []
    private var proposals: Set<ProposalID> = []
    var commitAtHeal = 0

    var violation: String? {
        get { violationText }
        set { violationText = violationText ?? newValue }
    }

    mutating func fail(_ text: String) { violation = text }

    /// Another process of the node leads the same term.
    mutating func noteSuccession(of term: Term, at position: Int, boot: Int) {
        guard leaders[term]?.position == position else { return fail("\(position + 1) never led term \(term)") }
        leaders[term]?.boot = boot
    }

    mutating func noteCrash(_ position: Int) {
        reached[position] = nil
        lastSeen[position] = nil
    }

    mutating func check(_ position: Int, of nodes: [SimulatedNode], at time: UInt64) {
        let node = nodes[position]
        let core = node.core
        checkMonotonic(position, core)
        checkCommitted(node, core, nodes)
        if core.role == .leader { checkLeader(position, node, core) }
        if lastSeen[position] != core.last {
            lastSeen[position] = core.last
            checkLogs(core, nodes)
        }
        node.lease = core.lease
        node.membership = core.membership
        checkLeases(nodes, at: time)
    }

    private mutating func checkMonotonic(_ position: Int, _ core: Raft) {
        let before = reached[position] ?? Reached()
        if core.term < before.term { fail("\(core.id): term fell from \(before.term) to \(core.term)") }
        if core.commit < before.commit { fail("\(core.id): commit fell from \(before.commit) to \(core.commit)") }
        if core.applied < before.applied { fail("\(core.id): applied fell to \(core.applied)") }
        if core.applied > core.commit { fail("\(core.id): applied \(core.applied), not committed") }
        reached[position] = Reached(term: core.term, commit: core.commit, applied: core.applied)
    }

    /// Committed entries are the same everywhere and for ever, and durable at a majority.
    private mutating func checkCommitted(_ node: SimulatedNode, _ core: Raft, _ nodes: [SimulatedNode]) {
        while committed.count < Int(core.commit.number) {
            let index = LogIndex(UInt64(committed.count + 1))
            guard let entry = core.entry(at: index) else {
                return fail("\(node.id): commit is \(core.commit), but nobody committed \(index)")
            }
            committed.append((entry, core.term))
            if case .command(let proposal, _) = entry.payload, !proposals.insert(proposal).inserted {
                fail("\(proposal) was committed twice")
            }
            // A commit may have let the leader append another membership in the same turn.
            let memberships = [node.membership, core.membership]
            let isDurable = memberships.contains { members in
                members.hasMajority { nodes[$0.position].disk.durable.holds(entry.position) }
            }
            if !isDurable { fail("\(node.id) committed \(entry.position), which is not durable at a majority") }
        }
        if let entry = core.entry(at: core.commit), entry != committed[Int(core.commit.number) - 1].entry {
            fail("\(node.id) committed \(entry.position) where \(committed[Int(core.commit.number) - 1]) was")
        }
    }

    mutating func noteApplied(_ entry: Entry, by node: SimulatedNode) {
        let offset = Int(entry.index.number) - 1
        if offset < committed.count && committed[offset].entry != entry {
            fail("\(node.id) applied \(entry.position) where \(committed[offset].entry.position) is committed")
        }
    }

    /// Nobody is told of a vote or of entries that a crash could take back.
    mutating func checkPromise(_ envelope: Envelope, by node: SimulatedNode) {
        switch envelope.message {
        case .voteReply(let reply) where reply.granted:
            let durable = node.disk.durable.hardState
            if durable.term != reply.term || durable.vote != envelope.to {
                fail("\(node.id) tells \(envelope.to) of a vote that is not durable")
            }
        case .heartbeatReply(let reply): checkDurable(reply.matched, of: node)
        case .appendReply(let reply):
            if case .matched(let index) = reply.outcome { checkDurable(index, of: node) }
        case .leaseGrant(let grant):
            let durable = node.disk.durable.hardState
            let isInForce = node.core.hardState.promised == grant.term
            if isInForce && durable.term == grant.term && durable.promised != grant.term {
                fail("\(node.id) tells \(envelope.to) of a promise that is not durable")
            }
        case .preVoteRequest, .preVoteReply, .voteRequest, .voteReply, .heartbeat, .appendRequest, .snapshotChunk,
            .snapshotReply, .newerTerm, .leaseReleased, .campaignNow, .leaseWish, .proposal, .proposalRefused,
            .readRequest,
            .readReply:
            break
        }
    }

    private mutating func checkDurable(_ index: LogIndex, of node: SimulatedNode) {
        guard let entry = node.core.entry(at: index), !node.disk.durable.holds(entry.position) else { return }
        fail("\(node.id) tells of \(entry.position), which is not durable")
    }

    /// Election safety and leader completeness.
    private mutating func checkLeader(_ position: Int, _ node: SimulatedNode, _ core: Raft) {
        if let other = leaders[core.term], other.position != position || other.boot != node.boot {
            fail("term \(core.term) has two leaders: \(other.position + 1) (start \(other.boot)) and \(node.id)")
        }
        leaders[core.term] = LeaderOfTerm(position: position, boot: node.boot)
        let durable = node.disk.durable.hardState
        if durable.term < core.term || (durable.term == core.term && durable.vote != core.id) {
            fail("\(node.id) leads term \(core.term), and its own vote is not durable")
        }
        for (entry, term) in committed.reversed() where term < core.term {
            if entry.index <= core.snapshotIndex { return }
            if core.entry(at: entry.index) != entry {
                return fail("\(node.id) leads term \(core.term) without \(entry.position), committed in \(term)")
            }
            if entry.index <= core.commit { return }
        }
    }

    var elections: Int { leaders.count }

    /// Log matching: where two logs hold the same position, they are equal up to it, and so are the members.
    private mutating func checkLogs(_ core: Raft, _ nodes: [SimulatedNode]) {
        for node in nodes where node.isUp && node.id != core.id {
            let other = node.core
            if core.last == other.last && core.membership != other.membership {
                return fail("\(core.id) and \(other.id) have the same log and other members")
            }
            var index = min(core.last.index, other.last.index)
            var meets = false
            while let mine = core.entry(at: index), let theirs = other.entry(at: index) {
                meets = meets || mine.term == theirs.term
                if meets && mine != theirs { return fail("\(core.id) and \(other.id) differ at \(mine.position)") }
                index = index.previous
            }
        }
    }

    /// At most one node may act under a lease, stopped ones included.
    private mutating func checkLeases(_ nodes: [SimulatedNode], at time: UInt64) {
        let holders = nodes.filter {
            ($0.isUp || $0.isBeingReplaced) && $0.lease?.isHeld(at: $0.clock.instant(at: time)) == true
        }
        if holders.count > 1 { fail("two valid leases: \(holders.compactMap(\.lease))") }
    }
}

/// Without faults the cluster must get well.
extension Simulation {
    mutating func checkConvergence() {
        clients.giveUp(at: nil)
        coverage[.commits] += invariants.committed.count
        coverage[.elections] += invariants.elections
        let leaders = nodes.filter { $0.isUp && $0.core.role == .leader }
        guard leaders.count == 1, let leader = leaders.first?.core else {
            return invariants.fail("not converged: leaders are \(leaders.map(\.id))")
        }
        if invariants.committed.count <= invariants.commitAtHeal {
            invariants.fail("not converged: nothing was committed after the faults")
        }
        if leader.lease?.isHeld(at: now(leader.id.position)) != true {
            invariants.fail("not converged: the leader holds no lease")
        }
        for member in leader.membership.everyone {
            let node = nodes[member.position]
            if node.isLost { continue }
            if node.core.applied != leader.last.index {
                invariants.fail("not converged: \(member) applied \(node.core.applied) of \(leader.last.index)")
            }
            if node.machine != nodes[leader.id.position].machine { invariants.fail("\(member): another state") }
        }
    }
}
