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
package struct Spreading: Hashable, Sendable {
    /// How long a node has to be well before it is lent an address. Doubles each time that it loses another one, up to
    /// `longestCalm` times as much.
    package static let calm = Nanoseconds.seconds(3)
    private static let longestCalm: UInt64 = 20
    /// A node that was not heard for so long is not well.
    private static let silence = Nanoseconds.milliseconds(250)
    /// A proposal that was not applied for so long is made again.
    private static let proposalPatience = Nanoseconds.seconds(1)

    /// What the decision depends on.
    package struct Conditions: Sendable {
        package var now: Instant
        package var raft: Status
        /// The addresses of the configuration.
        package var addresses: [IPAddress]
        package var isSpread: Bool
        package var loans: [IPAddress: Loan]
        package var drained: Set<NodeID>
        /// What may be on this machine.
        package var occupied: Set<IPAddress>
        /// Whose clients have left, as `Turn.departing` asked for.
        package var deserted: Set<IPAddress>
        /// Nothing keeps this node from holding addresses.
        package var isAble: Bool

        package init(
            now: Instant, raft: Status, addresses: [IPAddress], isSpread: Bool, loans: [IPAddress: Loan],
            drained: Set<NodeID> = [], occupied: Set<IPAddress>, deserted: Set<IPAddress> = [], isAble: Bool = true
        ) {
            self.now = now
            self.raft = raft
            self.addresses = addresses
            self.isSpread = isSpread
            self.loans = loans
            self.drained = drained
            self.occupied = occupied
            self.deserted = deserted
            self.isAble = isAble
        }
    }

    package struct Turn: Hashable, Sendable {
        /// By which this node holds its share.
        package var lease: Lease?
        package var share = AddressShare.all
        package var lent: [NodeID: [Right]] = [:]
        package var wish = BorrowerWish()
        /// To be proposed; what is not applied comes again.
        package var changes: [LoanChange] = []
        /// Addresses that are about to leave this node: their clients are to be told.
        package var departing: Set<IPAddress> = []
        package var deadline = Instant.distantFuture
    }

    /// How this leader's term goes.
    private struct Lead: Hashable, Sendable {
        let term: Term
        /// Loans that are not renewed any more in this term.
        var ended: [IPAddress: Loan] = [:]
        /// When a loan was first granted by this leader.
        var begun: [IPAddress: Instant] = [:]
        var proposed: [IPAddress: Proposed] = [:]
        /// Since when a node is well.
        var wellSince: [NodeID: Instant] = [:]
        var losses: [NodeID: UInt64] = [:]
        var leaving: Leaving?
    }

    private struct Proposed: Hashable, Sendable {
        var aim: LoanAim
        var at: Instant
    }

    private struct Leaving: Hashable, Sendable {
        var address: IPAddress
        var to: NodeID
    }

    private let calm: Nanoseconds
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
            var turn = borrow(conditions)
            if conditions.now < lease.claimableFrom { turn.deadline = min(turn.deadline, lease.claimableFrom) }
            return turn
        }
        return lend(conditions, by: lease)
    }

    // MARK: Borrowing

    /// What this node has been lent, and nothing else.
    private func borrow(_ conditions: Conditions) -> Turn {
        let id = conditions.raft.id
        let isDrained = conditions.drained.contains(id)
        var turn = Turn(share: .borrowed([], boot: conditions.raft.lending.boot))
        turn.wish.isWilling = conditions.isSpread && conditions.isAble && !isDrained
        guard let borrowed = conditions.raft.borrowed, conditions.now < borrowed.validUntil else { return turn }
        let lent = borrowed.rights.map(IPAddress.init)
        let leaving = lent.filter { isDrained || conditions.loans[$0].map { $0.node == id && $0.isRecalled } ?? false }
        let returned = conditions.isAble ? leaving.filter(conditions.deserted.contains) : lent
        turn.lease = Lease(term: borrowed.grant.term, validUntil: borrowed.validUntil, claimableFrom: .zero)
        turn.share = .borrowed(
            conditions.addresses.filter { lent.contains($0) && !returned.contains($0) },
            boot: conditions.raft.lending.boot)
        turn.departing = Set(leaving)
        turn.wish.returned = returned.map(Right.init)
        if conditions.occupied.isSubset(of: lent) { turn.wish.settled = borrowed.grant }
        turn.deadline = borrowed.validUntil
        return turn
    }

    // MARK: Lending

    private mutating func lend(_ conditions: Conditions, by lease: Lease) -> Turn {
        var lead = self.lead?.term == lease.term ? self.lead! : begin(conditions, lease)
        lead.ended = lead.ended.filter { conditions.loans[$0.key] == $0.value }
        lead.begun = lead.begun.filter { conditions.loans[$0.key] != nil }
        for (address, loan) in conditions.loans where loan.node != conditions.raft.id {
            guard !isGood(loan, of: address, conditions, lead) else { continue }
            let isWanted = loan.isRecalled || conditions.drained.contains(loan.node)
            end(loan, of: address, isWanted: isWanted, &lead)
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
        endLoans(conditions, &lead, &turn)
        balance(conditions, &lead, &turn)
        turn.wish.isWilling = conditions.isSpread && conditions.isAble
        turn.deadline = deadline(conditions, lead)
        self.lead = lead
        return turn
    }

    private func begin(_ conditions: Conditions, _ lease: Lease) -> Lead {
        var lead = Lead(term: lease.term)
        for (address, loan) in conditions.loans where loan.node == conditions.raft.lending.predecessor {
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
        return peer.granted.contains(right) || conditions.now < patience(since: begun, conditions.raft)
    }

    /// Until then a borrower that is alive has answered, and no grant of an earlier term is left.
    private func patience(since begun: Instant, _ raft: Status) -> Instant {
        max(raft.lending.inheritedUntil, begun + raft.lending.grantGuard)
    }

    private func end(_ loan: Loan, of address: IPAddress, isWanted: Bool, _ lead: inout Lead) {
        guard lead.ended[address] == nil else { return }
        lead.ended[address] = loan
        lead.wellSince[loan.node] = nil
        if !isWanted { lead.losses[loan.node, default: 0] += 1 }
    }

    /// Whether a loan has ended, for the borrower too.
    private func isFree(_ address: IPAddress, _ conditions: Conditions, _ lead: Lead) -> Bool {
        guard let loan = lead.ended[address], !conditions.raft.isClaimed(address) else { return false }
        return loan.node == conditions.raft.lending.predecessor
            || conditions.now >= conditions.raft.lending.inheritedUntil
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

    private func propose(
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

    // MARK: Balance

    /// One address at a time goes from who has most to who has least, when all is calm.
    private func balance(_ conditions: Conditions, _ lead: inout Lead, _ turn: inout Turn) {
        noteWellBeing(conditions, &lead)
        if let leaving = lead.leaving {
            if !carryOn(leaving, conditions, &lead, &turn) { lead.leaving = nil }
            return
        }
        let isCalm =
            lead.ended.isEmpty
            && conditions.loans.allSatisfy { address, loan in
                !loan.isRecalled && (loan.node == conditions.raft.id || conditions.raft.isGranted(address))
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
            turn.departing = [address]
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
            conditions.addresses.contains(leaving.address), lead.wellSince[leaving.to] != nil
        else { return false }
        turn.departing = [leaving.address]
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
                peer.isWilling && conditions.raft.membership.contains(peer.id) && !conditions.drained.contains(peer.id)
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

    private func calm(for node: NodeID, _ lead: Lead) -> Nanoseconds {
        let losses = max(lead.losses[node] ?? 0, 1)
        return calm * min(1 << min(losses - 1, 8), Self.longestCalm)
    }

    private func deadline(_ conditions: Conditions, _ lead: Lead) -> Instant {
        var deadline = Instant.distantFuture
        func note(_ instant: Instant) { if instant > conditions.now { deadline = min(deadline, instant) } }
        note(conditions.raft.lending.inheritedUntil)
        for (address, begun) in lead.begun where !conditions.raft.isGranted(address) {
            note(patience(since: begun, conditions.raft))
        }
        for (node, since) in lead.wellSince { note(since + calm(for: node, lead)) }
        for proposed in lead.proposed.values { note(proposed.at + Self.proposalPatience) }
        return deadline
    }
}

extension Spreading.Conditions {
    /// In an order that is the same everywhere.
    fileprivate var sortedLoans: [(address: IPAddress, loan: Loan)] {
        loans.sorted { Right($0.key) < Right($1.key) }.map { ($0.key, $0.value) }
    }
}

extension Status {
    fileprivate func peer(_ node: NodeID) -> PeerStatus? { peers.first { $0.id == node } }

    fileprivate func isClaimed(_ address: IPAddress) -> Bool {
        peers.contains { $0.claims.contains(Right(address)) }
    }

    fileprivate func isGranted(_ address: IPAddress) -> Bool {
        peers.contains { $0.granted.contains(Right(address)) }
    }
}
