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

    mutating func noteCrash(_ position: Int) {
        reached[position] = nil
        lastSeen[position] = nil
    }

    mutating func check(_ position: Int, of nodes: [SimulatedNode], at time: UInt64) {
        let node = nodes[position]
        let status = node.core.status
        checkMonotonic(position, status)
        checkCommitted(node, status, nodes)
        if status.role == .leader { checkLeader(position, node, status) }
        if lastSeen[position] != status.last {
            lastSeen[position] = status.last
            checkLogs(node, nodes)
        }
        checkLeases(nodes, at: time)
    }

    private mutating func checkMonotonic(_ position: Int, _ status: Status) {
        let before = reached[position] ?? Reached()
        if status.term < before.term { fail("\(status.id): term fell from \(before.term) to \(status.term)") }
        if status.commit < before.commit { fail("\(status.id): commit fell from \(before.commit) to \(status.commit)") }
        if status.applied < before.applied { fail("\(status.id): applied fell to \(status.applied)") }
        if status.applied > status.commit { fail("\(status.id): applied \(status.applied), not committed") }
        reached[position] = Reached(term: status.term, commit: status.commit, applied: status.applied)
    }

    /// Committed entries are the same everywhere and for ever, and durable at a majority.
    private mutating func checkCommitted(_ node: SimulatedNode, _ status: Status, _ nodes: [SimulatedNode]) {
        while committed.count < Int(status.commit.number) {
            let index = LogIndex(UInt64(committed.count + 1))
            guard let entry = node.core.entry(at: index) else {
                return fail("\(node.id): commit is \(status.commit), but nobody committed \(index)")
            }
            committed.append((entry, status.term))
            if case .command(let proposal, _) = entry.payload, !proposals.insert(proposal).inserted {
                fail("\(proposal) was committed twice")
            }
            let isDurable = status.membership.hasMajority { member in nodes[member.position].disk.holds(entry.position) }
            if !isDurable { fail("\(node.id) committed \(entry.position), which is not durable at a majority") }
        }
        if let entry = node.core.entry(at: status.commit), entry != committed[Int(status.commit.number) - 1].entry {
            fail("\(node.id) committed \(entry.position) where \(committed[Int(status.commit.number) - 1]) was")
        }
    }

    mutating func noteApplied(_ entry: Entry, by node: SimulatedNode) {
        let offset = Int(entry.index.number) - 1
        if offset < committed.count && committed[offset].entry != entry {
            fail("\(node.id) applied \(entry.position) where \(committed[offset].entry.position) is committed")
        }
    }

    /// Election safety and leader completeness.
    private mutating func checkLeader(_ position: Int, _ node: SimulatedNode, _ status: Status) {
        if let other = leaders[status.term], other.position != position || other.boot != node.boot {
            fail("term \(status.term) has two leaders: \(other.position + 1) (start \(other.boot)) and \(node.id)")
        }
        leaders[status.term] = LeaderOfTerm(position: position, boot: node.boot)
        for (entry, term) in committed.reversed() where term < status.term {
            if entry.index <= status.snapshot { return }
            if node.core.entry(at: entry.index) != entry {
                return fail("\(node.id) leads term \(status.term) without \(entry.position), committed in \(term)")
            }
            if entry.index <= status.commit { return }
        }
    }

    var elections: Int { leaders.count }

    /// Log matching: where two logs hold the same position, they are equal up to it.
    private mutating func checkLogs(_ node: SimulatedNode, _ nodes: [SimulatedNode]) {
        for other in nodes where other.isUp && other.id != node.id {
            var index = min(node.core.status.last.index, other.core.status.last.index)
            var meets = false
            while let mine = node.core.entry(at: index), let theirs = other.core.entry(at: index) {
                if meets && mine != theirs {
                    return fail("logs of \(node.id) and \(other.id) meet, but differ at \(index)")
                }
                meets = meets || mine.term == theirs.term
                if meets && mine != theirs { return fail("\(node.id) and \(other.id) differ at \(mine.position)") }
                index = index.previous
            }
        }
    }

    /// At most one node may act under a lease, stopped ones included.
    private mutating func checkLeases(_ nodes: [SimulatedNode], at time: UInt64) {
        let holders = nodes.filter { node in
            node.isUp && node.core.lease?.isHeld(at: node.clock.instant(at: time)) == true
        }
        if holders.count > 1 {
            fail("two valid leases: " + holders.map { "\($0.id) in term \($0.core.status.term)" }.joined(separator: ", "))
        }
    }
}

/// Without faults the cluster must get well.
extension Simulation {
    mutating func checkConvergence() {
        clients.giveUp(at: nil)
        coverage.commits = invariants.committed.count
        coverage.elections = invariants.elections
        let leaders = nodes.filter { $0.core.status.role == .leader }
        guard leaders.count == 1, let leader = leaders.first?.core.status else {
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
            if node.core.status.applied != leader.last.index {
                invariants.fail("not converged: \(member) applied \(node.core.status.applied) of \(leader.last.index)")
            }
            if node.machine != nodes[leader.id.position].machine { invariants.fail("\(member): another state") }
        }
    }
}
