import Posix
import Raft

/// Decides which virtual addresses this node holds when they are spread over the nodes, and what it lends as the leader.
///
/// The leader holds, by its lease, every address that is not lent. A loan is replicated before the borrower may use it,
/// and used only while the leader renews it (`Raft.lend`). Rules that keep two nodes from holding one address:
/// - An address is lent only when no other borrower may use it any more, and granted when it is off this machine.
/// - An address that the borrower lost, gave back or did not renew is the leader's again once the borrower can not use
///   it any more; the loan ends after that, and is never granted again in this term.
/// - A new leader goes by the loans: it renews them. It takes one back at once only from the leader before it, whose
///   grants ended with its lease; any other after all grants of earlier terms.
/// - A long grant (`Loan.isLong`) is given only when the log says that there may be one, so a new leader waits longer.
package struct Spreading: Hashable, Sendable {
    /// How long a node has to be well before it is lent an address. Doubles each time that it loses another one, up to
    /// `longestCalm` times as much.
    package static let calm = Nanoseconds.seconds(3)
    static let longestCalm: UInt64 = 20
    /// A node that was not heard for so long is not well.
    static let silence = Nanoseconds.milliseconds(250)
    /// A proposal that was not applied for so long is made again.
    private static let proposalPatience = Nanoseconds.seconds(1)

    /// How this leader's term goes.
    struct Lead: Hashable, Sendable {
        let term: Term
        /// Loans that are not renewed any more in this term.
        var ended: [IPAddress: Loan] = [:]
        /// When a loan was first granted by this leader.
        var begun: [IPAddress: Instant] = [:]
        var proposed: [IPAddress: Proposed] = [:]
        /// Loans that may be short ones at any moment, as was proposed.
        var shortened: [IPAddress: Loan] = [:]
        /// Since when a node is well.
        var wellSince: [NodeID: Instant] = [:]
        var losses: [NodeID: UInt64] = [:]
        /// When a node last lost one.
        var lostAt: Instant?
        var leaving: Leaving?
    }

    struct Proposed: Hashable, Sendable {
        var aim: LoanAim
        var at: Instant
    }

    struct Leaving: Hashable, Sendable {
        var address: IPAddress
        var to: NodeID
    }

    let calm: Nanoseconds
    private var lead: Lead?

    package init(calm: Nanoseconds = Spreading.calm) { self.calm = calm }

    package mutating func turn(_ conditions: Conditions) -> Turn {
        let raft = conditions.raft
        guard let lease = raft.lease else {
            lead = nil
            return borrow(conditions)
        }
        let isInvolved = conditions.isSpread || !conditions.loans.isEmpty || !raft.lending.hasReplayed
        guard isInvolved else {
            lead = nil
            return Turn(lease: lease)
        }
        guard lease.isHeld(at: conditions.now), raft.lending.knowsState else {
            if raft.lending.isContinued, lease.isHeld(at: conditions.now) { return goOn(conditions, lease) }
            var turn = borrow(conditions)
            if conditions.now < lease.claimableFrom { turn.deadline = min(turn.deadline, lease.claimableFrom) }
            return turn
        }
        return lend(conditions, by: lease)
    }

    /// The former process of this leader held that, and this one has not lent anything yet.
    private func goOn(_ conditions: Conditions, _ lease: Lease) -> Turn {
        Turn(lease: lease, share: .own(conditions.occupied.sorted { Right($0) < Right($1) }))
    }

    // MARK: Borrowing

    /// What this node has been lent, and nothing else.
    private func borrow(_ conditions: Conditions) -> Turn {
        let id = conditions.raft.id
        let isDrained = conditions.drained.contains(id)
        var turn = Turn(share: .borrowed([], boot: conditions.raft.lending.boot))
        guard conditions.isSpread || !conditions.loans.isEmpty || conditions.raft.borrowed != nil else { return turn }
        turn.wish = BorrowerWish(
            isWilling: conditions.isSpread && conditions.isAble && !isDrained, pauses: conditions.pauses)
        guard let borrowed = conditions.raft.borrowed, conditions.now < borrowed.validUntil else { return turn }
        let lent = borrowed.rights.map(IPAddress.init)
        let leaving = lent.filter { isDrained || conditions.loans[$0].map { $0.node == id && $0.isRecalled } ?? false }
        let returned = conditions.isAble ? leaving.filter(conditions.deserted.contains) : lent
        turn.lease = Lease(term: borrowed.grant.term, validUntil: borrowed.validUntil, claimableFrom: .zero)
        turn.share = .borrowed(
            lent.filter { !returned.contains($0) }, boot: conditions.raft.lending.boot)
        turn.departing = Set(leaving)
        turn.heir = conditions.raft.leader
        turn.wish?.returned = returned.map(Right.init)
        if conditions.occupied.isSubset(of: lent) { turn.wish?.settled = borrowed.grant }
        turn.deadline = borrowed.validUntil
        return turn
    }

    // MARK: Lending

    private mutating func lend(_ conditions: Conditions, by lease: Lease) -> Turn {
        var lead = self.lead?.term == lease.term ? self.lead! : begin(conditions, lease)
        lead.ended = lead.ended.filter { conditions.loans[$0.key] == $0.value }
        lead.begun = lead.begun.filter { conditions.loans[$0.key] != nil }
        lead.shortened = lead.shortened.filter { conditions.loans[$0.key] == $0.value }
        for (address, loan) in conditions.loans where loan.node != conditions.raft.id {
            guard !isGood(loan, of: address, conditions, lead) else { continue }
            let isWanted = loan.isRecalled || conditions.drained.contains(loan.node)
            end(loan, of: address, isWanted: isWanted, at: conditions.now, &lead)
        }
        var turn = Turn(lease: lease)
        var own: [IPAddress] = []
        for address in conditions.addresses where !conditions.raft.isClaimed(address) {
            switch conditions.loans[address] {
            case nil: own.append(address)
            case .some(let loan) where loan.node == conditions.raft.id: own.append(address)
            case .some: if isFree(address, conditions, lead) { own.append(address) }
            }
        }
        turn.share = .own(own)
        grant(conditions, &lead, &turn)
        setLength(conditions, &lead, &turn)
        endLoans(conditions, &lead, &turn)
        balance(conditions, &lead, &turn)
        turn.wish = BorrowerWish(isWilling: conditions.isSpread && conditions.isAble)
        turn.deadline = deadline(conditions, lead)
        self.lead = lead
        return turn
    }

    private func begin(_ conditions: Conditions, _ lease: Lease) -> Lead {
        var lead = Lead(term: lease.term)
        for (address, loan) in conditions.loans where isOfPredecessor(loan, conditions.raft) {
            lead.ended[address] = loan
        }
        return lead
    }

    /// Whether a loan goes on.
    private func isGood(_ loan: Loan, of address: IPAddress, _ conditions: Conditions, _ lead: Lead) -> Bool {
        guard conditions.addresses.contains(address), conditions.raft.membership.contains(loan.node),
            let peer = conditions.raft.peer(loan.node)
        else { return false }
        let right = Right(address)
        if peer.returned.contains(right) { return false }
        guard let begun = lead.begun[address] else { return true }
        if !peer.claims.contains(right) { return false }
        return peer.granted.contains(right) || conditions.now < patience(for: loan, since: begun, conditions.raft)
    }

    /// Until then a borrower that is alive has answered, and no grant of an earlier term is left.
    private func patience(for loan: Loan, since begun: Instant, _ raft: Status) -> Instant {
        max(inheritedUntil(loan, raft), begun + raft.lending.grantGuard)
    }

    private func inheritedUntil(_ loan: Loan, _ raft: Status) -> Instant {
        loan.isLong ? raft.lending.longInheritedUntil : raft.lending.inheritedUntil
    }

    /// Of the leader before this one, which used nothing of it after its lease. A long grant that it had before it led
    /// may last longer than that.
    private func isOfPredecessor(_ loan: Loan, _ raft: Status) -> Bool {
        loan.node == raft.lending.predecessor && !loan.isLong
    }

    private func end(
        _ loan: Loan, of address: IPAddress, isWanted: Bool, at now: Instant, _ lead: inout Lead
    ) {
        guard lead.ended[address] == nil else { return }
        lead.ended[address] = loan
        lead.wellSince[loan.node] = nil
        if isWanted { return }
        lead.losses[loan.node, default: 0] += 1
        lead.lostAt = now
    }

    /// Whether a loan has ended, for the borrower too.
    private func isFree(_ address: IPAddress, _ conditions: Conditions, _ lead: Lead) -> Bool {
        guard let loan = lead.ended[address], !conditions.raft.isClaimed(address) else { return false }
        return isOfPredecessor(loan, conditions.raft) || conditions.now >= inheritedUntil(loan, conditions.raft)
    }

    private func grant(_ conditions: Conditions, _ lead: inout Lead, _ turn: inout Turn) {
        for (address, loan) in conditions.sortedLoans
        where loan.node != conditions.raft.id && lead.ended[address] == nil {
            guard !conditions.occupied.contains(address) else { continue }
            turn.lent[loan.node, default: []].append(Right(address))
            if lead.begun[address] == nil { lead.begun[address] = conditions.now }
        }
    }

    private func endLoans(_ conditions: Conditions, _ lead: inout Lead, _ turn: inout Turn) {
        for (address, loan) in lead.ended.sorted(by: { Right($0.key) < Right($1.key) })
        where isFree(address, conditions, lead) {
            propose(address, from: loan, to: .own, conditions, &lead, &turn)
        }
    }

    /// Before another process takes the place of a borrower's or of this one, its grants get long. What is proposed comes
    /// first, and may be applied late: no long grant is given once a loan may be a short one.
    private func setLength(_ conditions: Conditions, _ lead: inout Lead, _ turn: inout Turn) {
        let raft = conditions.raft
        for (address, loan) in conditions.sortedLoans where lead.ended[address] == nil {
            let peer = raft.peer(loan.node)
            let isWanted = loan.node != raft.id && (conditions.pauses || peer?.pauses == true)
            if isWanted, !loan.isLong {
                propose(address, from: loan, to: .long, conditions, &lead, &turn)
            } else if !isWanted, loan.isLong, conditions.now >= longGrantsEnd(peer, raft) {
                lead.shortened[address] = loan
                propose(address, from: loan, to: .short, conditions, &lead, &turn)
            }
        }
        for (node, rights) in turn.lent where conditions.pauses || raft.peer(node)?.pauses == true {
            let loans = rights.map { (address: IPAddress($0), loan: conditions.loans[IPAddress($0)]) }
            if loans.allSatisfy({ $0.loan?.isLong == true && lead.shortened[$0.address] == nil }) {
                turn.long.insert(node)
            }
        }
    }

    private func longGrantsEnd(_ peer: PeerStatus?, _ raft: Status) -> Instant {
        max(raft.lending.longInheritedUntil, peer?.longGrantsEnd ?? .zero)
    }

    func propose(
        _ address: IPAddress, from: Loan?, to: LoanAim, _ conditions: Conditions, _ lead: inout Lead, _ turn: inout Turn
    ) {
        if let earlier = lead.proposed[address], earlier.aim == to,
            conditions.now < earlier.at + Self.proposalPatience
        {
            return
        }
        lead.proposed[address] = Proposed(aim: to, at: conditions.now)
        turn.changes.append(LoanChange(address, from: from, to: to, term: lead.term))
    }

    private func deadline(_ conditions: Conditions, _ lead: Lead) -> Instant {
        var deadline = Instant.distantFuture
        func note(_ instant: Instant) { if instant > conditions.now { deadline = min(deadline, instant) } }
        note(conditions.raft.lending.inheritedUntil)
        for (address, loan) in conditions.loans {
            if let begun = lead.begun[address], !conditions.raft.isGranted(address) {
                note(patience(for: loan, since: begun, conditions.raft))
            }
            if loan.isLong { note(longGrantsEnd(conditions.raft.peer(loan.node), conditions.raft)) }
        }
        for (node, since) in lead.wellSince { note(since + calm(for: node, lead)) }
        if let lostAt = lead.lostAt { note(lostAt + calm) }
        for proposed in lead.proposed.values { note(proposed.at + Self.proposalPatience) }
        return deadline
    }
}
