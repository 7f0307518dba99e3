import Posix
import Raft

/// Who should have which address, once nothing else is to be done.
extension Spreading {
    /// One address at a time goes from who has most to who has least, when all is calm. It is not yet where the leader has
    /// just taken an address from a node that lost it: the connections of its clients are being rebuilt.
    func balance(_ conditions: Conditions, _ lead: inout Lead, _ turn: inout Turn) {
        noteWellBeing(conditions, &lead)
        if let leaving = lead.leaving {
            if !carryOn(leaving, conditions, &lead, &turn) { lead.leaving = nil }
            return
        }
        let isCalm =
            lead.ended.isEmpty && !conditions.pauses
            && lead.lostAt.map { conditions.now >= $0 + calm } ?? true
            && conditions.loans.allSatisfy { address, loan in
                !loan.isRecalled && !loan.isLong
                    && (loan.node == conditions.raft.id || conditions.raft.isGranted(address))
            }
        guard conditions.isSpread else {
            for (address, loan) in conditions.sortedLoans where !loan.isRecalled && loan.node != conditions.raft.id {
                recall(address, loan, conditions, &lead, &turn)
            }
            return
        }
        guard isCalm, conditions.isAble else { return }
        let own = conditions.addresses.filter {
            (conditions.loans[$0]?.node ?? conditions.raft.id) == conditions.raft.id
        }
        var counts: [NodeID: Int] = [:]
        for loan in conditions.loans.values where loan.node != conditions.raft.id { counts[loan.node, default: 0] += 1 }
        let ready = lead.wellSince.filter { conditions.now >= $0.value + self.calm(for: $0.key, lead) }.keys
        let least = ready.min { (counts[$0] ?? 0, $0) < (counts[$1] ?? 0, $1) }
        let fewest = min(least.map { counts[$0] ?? 0 } ?? own.count, own.count)
        if let least, let address = own.last, own.count >= (counts[least] ?? 0) + 2 {
            lead.leaving = Leaving(address: address, to: least)
            (turn.departing, turn.heir) = ([address], least)
        } else if let most = counts.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }), most.value >= fewest + 2,
            let (address, loan) = conditions.sortedLoans.last(where: { $0.loan.node == most.key })
        {
            recall(address, loan, conditions, &lead, &turn)
        }
    }

    /// An own address on its way to another node, from the first word to its clients. False when it stays, or has gone.
    private func carryOn(
        _ leaving: Leaving, _ conditions: Conditions, _ lead: inout Lead, _ turn: inout Turn
    ) -> Bool {
        let loan = conditions.loans[leaving.address]
        guard loan?.node ?? conditions.raft.id == conditions.raft.id, conditions.isSpread,
            conditions.addresses.contains(leaving.address), lead.wellSince[leaving.to] != nil, !conditions.pauses
        else { return false }
        (turn.departing, turn.heir) = ([leaving.address], leaving.to)
        if conditions.deserted.contains(leaving.address) {
            propose(leaving.address, from: loan, to: .lent(leaving.to), conditions, &lead, &turn)
        }
        return true
    }

    private func recall(
        _ address: IPAddress, _ loan: Loan, _ conditions: Conditions, _ lead: inout Lead, _ turn: inout Turn
    ) {
        propose(address, from: loan, to: .recalled(loan.node), conditions, &lead, &turn)
    }

    private func noteWellBeing(_ conditions: Conditions, _ lead: inout Lead) {
        for peer in conditions.raft.peers {
            let isWell =
                peer.isWilling && !peer.pauses && conditions.raft.membership.contains(peer.id)
                && !conditions.drained.contains(peer.id)
                && conditions.now < peer.lastContact + Self.silence
            if !isWell {
                lead.wellSince[peer.id] = nil
            } else if lead.wellSince[peer.id] == nil {
                lead.wellSince[peer.id] = conditions.now
            }
        }
        let known = Set(conditions.raft.peers.map(\.id))
        lead.wellSince = lead.wellSince.filter { known.contains($0.key) }
    }

    func calm(for node: NodeID, _ lead: Lead) -> Nanoseconds {
        let losses = max(lead.losses[node] ?? 0, 1)
        return calm * min(1 << min(losses - 1, 8), Self.longestCalm)
    }
}
