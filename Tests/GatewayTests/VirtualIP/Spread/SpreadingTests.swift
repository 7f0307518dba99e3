import Gateway
import Posix
import Raft
import Testing

private let one = IPAddress("10.0.0.100")!
private let two = IPAddress("10.0.0.101")!
private let (own, first, second) = (NodeID(1), NodeID(2), NodeID(3))

/// To whom addresses go that leave a node, so that connections can go ahead, and who may hand some over.
@Suite struct SpreadingTests {
    private func status(leader: NodeID) -> Status {
        let recovered = RecoveredState(foundingMembership: Membership(voters: [own, first, second]))
        var status = Raft(Settings(id: own, timing: .lan, seed: 1), recovered: recovered, at: .zero).status
        (status.leader, status.role) = (leader, leader == own ? .leader : .follower)
        return status
    }

    private func conditions(_ raft: Status, at now: Instant, _ loans: [IPAddress: Loan] = [:]) -> Spreading.Conditions {
        Spreading.Conditions(
            now: now, raft: raft, addresses: [one, two], isSpread: true, loans: loans,
            occupied: [one, two])
    }

    private func leading(at now: Instant) -> Status {
        var raft = status(leader: own)
        raft.lease = Lease(term: Term(3), validUntil: now + .milliseconds(40), claimableFrom: .zero)
        (raft.lending.knowsState, raft.lending.hasReplayed) = (true, true)
        raft.peers = [
            PeerStatus(id: first, matched: .zero, lastContact: now, receivesSnapshot: false, isWilling: true)
        ]
        return raft
    }

    /// Who resigned is silent about nothing: the leader would go by an older word.
    @Test func whoTakesPartSaysWhetherItIsWilling() {
        func wish(_ change: (inout Spreading.Conditions) -> Void) -> BorrowerWish? {
            let now = Instant.zero + .seconds(1)
            var conditions = conditions(status(leader: first), at: now)
            change(&conditions)
            var spreading = Spreading()
            return spreading.turn(conditions).wish
        }
        #expect(wish { _ in } == BorrowerWish(isWilling: true))
        #expect(wish { $0.isAble = false } == BorrowerWish(isWilling: false))
        #expect(wish { $0.isSpread = false } == nil)
        #expect(wish { ($0.isSpread, $0.loans) = (false, [one: Loan(own, number: 1)]) } == BorrowerWish())
        let unused = Borrowed(grant: GrantID(term: Term(3), round: 1), rights: [], validUntil: .distantFuture)
        #expect(wish { ($0.isSpread, $0.raft.borrowed) = (false, unused) }?.isWilling == false)
    }

    @Test func anAddressThatIsLentGoesToTheBorrower() {
        var spreading = Spreading()
        var now = Instant.zero + .seconds(1)
        _ = spreading.turn(conditions(leading(at: now), at: now))
        now = now + Spreading.calm
        for _ in 0..<2 {
            let turn = spreading.turn(conditions(leading(at: now), at: now))
            #expect(turn.departing == [two] && turn.heir == first && turn.changes == [])
        }
        var deserted = conditions(leading(at: now), at: now)
        deserted.deserted = [two]
        let turn = spreading.turn(deserted)
        #expect(turn.changes == [LoanChange(two, from: nil, to: .lent(first), term: Term(3))])
    }

    @Test func whatANodeHasJustLostStaysWithTheLeaderForAWhile() {
        var spreading = Spreading()
        var now = Instant.zero + .seconds(1)
        func departing(_ loans: [IPAddress: Loan], returned: [Right] = []) -> Set<IPAddress> {
            var raft = leading(at: now)
            raft.peers.append(
                PeerStatus(
                    id: second, matched: .zero, lastContact: now, receivesSnapshot: false, isWilling: true,
                    returned: returned))
            return spreading.turn(conditions(raft, at: now, loans)).departing
        }
        let loans = [two: Loan(second, number: 1)]
        #expect(departing(loans) == [])
        now = now + Spreading.calm
        #expect(departing(loans, returned: [Right(two)]) == [])
        #expect(departing([:]) == [], "the leader rebuilds the connections of its clients")
        now = now + Spreading.calm
        #expect(departing([:]) == [two])
    }

    @Test func whatIsGivenBackGoesToTheLeader() {
        var raft = status(leader: first)
        let now = Instant.zero + .seconds(1)
        raft.borrowed = Borrowed(
            grant: GrantID(term: Term(3), round: 1), rights: [Right(one), Right(two)],
            validUntil: now + .milliseconds(40))
        let loans = [one: Loan(own, number: 1), two: Loan(own, isRecalled: true, number: 2)]
        var spreading = Spreading()
        let recalled = spreading.turn(conditions(raft, at: now, loans))
        #expect(recalled.departing == [two] && recalled.heir == first && recalled.wish?.returned == [])
        var drained = conditions(raft, at: now, loans)
        drained.drained = [own]
        #expect(spreading.turn(drained).departing == [one, two])
    }

    @Test func whoLeadsOrHasTheLoanHandsConnectionsOver() {
        let loans = Loans([one: Loan(first, number: 1), two: Loan(second, number: 2)])
        #expect(loans.pass([one, two], from: first, to: status(leader: first)))
        #expect(!loans.pass([one], from: first, to: status(leader: second)))
        #expect(loans.pass([one], from: first, to: status(leader: own)))
        #expect(!loans.pass([one, two], from: first, to: status(leader: own)))
        #expect(!loans.pass([one], from: own, to: status(leader: own)))
        #expect(!Loans().pass([one], from: first, to: status(leader: own)))
    }
}
