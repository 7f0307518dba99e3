import Posix

/// Who should lead next. No safety depends on it: it keeps voters from campaigning against each other, and spares nodes
/// that somebody wants to service.
extension Raft {
    /// Replaces the nodes that shall lead only when no other voter can.
    package mutating func spare(_ nodes: Set<NodeID>) { spared = nodes }

    /// When this node campaigns if it hears nothing more.
    ///
    /// Each heir of a known leader draws within a slot of its own, with as much free time after it as the slot is long:
    /// they hear the same last heartbeat, so that equal ranges would let two of them split the votes now and then, which
    /// costs a whole timeout. The paper's range (section 5.2) is drawn from when nobody knows who led.
    mutating func drawElectionDeadline() -> Instant {
        let range = timing.electionMaximum - timing.electionMinimum
        let start = livingPromise.map { $0.term > releasedThrough ? $0.until : now } ?? now
        let shortest = start + timing.electionMinimum + reluctance(after: contact.leader)
        guard let leader = contact.leader, let place = place(after: leader) else {
            return shortest + Nanoseconds(random.next() % (range.count + 1))
        }
        let slot = range.count / (2 * place.heirs - 1)
        return shortest + Nanoseconds(2 * place.rank * slot + random.next() % (slot + 1))
    }

    /// How long this node lets others go first once `leader` is known to be gone; nil when it does not follow it.
    func stagger(after leader: NodeID) -> Nanoseconds? {
        place(after: leader).map { timing.evidenceStagger * $0.rank + reluctance(after: leader) }
    }

    /// To whom leadership is handed where nobody was named: the voter that is closest behind.
    var closestVoter: NodeID? {
        let others = leadership?.peers.filter { membership.voters.contains($0.id) } ?? []
        let willing = others.filter { !spared.contains($0.id) }
        return (willing.isEmpty ? others : willing).max { ($0.matched, $1.id) < ($1.matched, $0.id) }?.id
    }

    /// Among the voters that may follow `leader`: where this node stands, and how many there are. Spared ones come last.
    private func place(after leader: NodeID) -> (rank: UInt64, heirs: UInt64)? {
        let heirs = membership.allVoters.filter { $0 != leader }
        guard heirs.contains(id) else { return nil }
        func comesBefore(_ node: NodeID) -> Bool {
            spared.contains(node) == spared.contains(id) ? node < id : spared.contains(id)
        }
        return (UInt64(heirs.count(where: comesBefore)), UInt64(heirs.count))
    }

    /// What a spared node waits on top, so that every other voter may try first. None where all others are spared, too.
    private func reluctance(after leader: NodeID?) -> Nanoseconds {
        guard spared.contains(id) else { return .zero }
        let another = membership.allVoters.contains { $0 != id && $0 != leader && !spared.contains($0) }
        return another ? timing.electionMaximum : .zero
    }
}
