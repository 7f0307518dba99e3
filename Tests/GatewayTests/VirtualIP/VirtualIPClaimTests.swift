import Gateway
import Posix
import Raft
import Testing

private typealias Claim = VirtualIPClaim
private typealias Action = VirtualIPClaim.Action

private let one = IPAddress("10.0.0.1")!
private let two = IPAddress("10.0.0.2")!

private func at(_ milliseconds: UInt64) -> Instant { .zero + .milliseconds(milliseconds) }

private func lease(_ term: UInt64, until: UInt64, from: UInt64 = 0) -> Lease {
    Lease(term: Term(term), validUntil: at(until), claimableFrom: at(from))
}

extension VirtualIPClaim.Conditions {
    fileprivate init(
        _ milliseconds: UInt64, _ lease: Lease?, wanted: [IPAddress] = [one], carrier: Bool = true,
        shuttingDown: Bool = false
    ) {
        self.init(
            now: at(milliseconds), lease: lease, wanted: wanted, hasCarrier: carrier, isShuttingDown: shuttingDown)
    }
}

private let claimOne: [Action] = [.claim(one), .announce(one), .announce(one)]

@Suite struct VirtualIPClaimTests {
    /// A claim that holds `one` in term 3 since 100 ms, with a lease until 140 ms.
    private func holding() -> Claim {
        var claim = Claim()
        #expect(claim.turn(.init(100, lease(3, until: 140))) == claimOne)
        return claim
    }

    @Test func followerHoldsNothing() {
        var claim = Claim()
        #expect(claim.turn(.init(100, nil)) == [])
        #expect(claim.nextDeadline == .distantFuture)
    }

    @Test func leaderClaimsAndAnnouncesTwice() {
        let claim = holding()
        #expect(claim.held == [one])
        #expect(claim.nextDeadline == at(120))
    }

    @Test func claimWaitsForTheEarlierLease() {
        var claim = Claim()
        #expect(claim.turn(.init(100, lease(3, until: 140, from: 130))) == [])
        #expect(claim.nextDeadline == at(130))
        #expect(claim.turn(.init(130, lease(3, until: 140, from: 130))) == claimOne)
    }

    @Test func anExpiredLeaseIsNotClaimed() {
        var claim = Claim()
        #expect(claim.turn(.init(140, lease(3, until: 140))) == [])
        #expect(claim.turn(.init(141, lease(3, until: 180))) == claimOne)
    }

    @Test func announcementsAreRepeated() {
        var claim = holding()
        #expect(claim.turn(.init(119, lease(3, until: 5000))) == [])
        #expect(claim.turn(.init(120, lease(3, until: 5000))) == [.announce(one)])
        #expect(claim.nextDeadline == at(200))
        #expect(claim.turn(.init(1200, lease(3, until: 5000))) == [.announce(one)])
        #expect(claim.nextDeadline == at(5000))
        #expect(claim.turn(.init(1300, lease(3, until: 5000))) == [])
    }

    @Test func deadlineIsTheLeaseWhenThatEndsFirst() {
        var claim = holding()
        _ = claim.turn(.init(101, lease(3, until: 110)))
        #expect(claim.nextDeadline == at(110))
    }

    @Test(arguments: [
        (Claim.Conditions(120, nil), Claim.Reason.leadershipLost, false),
        (Claim.Conditions(120, lease(4, until: 160, from: 150)), .leadershipLost, false),
        (Claim.Conditions(140, lease(3, until: 140)), .leaseExpired, true),
        (Claim.Conditions(120, lease(3, until: 140), carrier: false), .carrierLost, true),
        (Claim.Conditions(120, lease(3, until: 140), shuttingDown: true), .shuttingDown, true),
    ])
    fileprivate func releases(_ conditions: Claim.Conditions, _ reason: Claim.Reason, _ resigns: Bool) {
        var claim = holding()
        let resignation: [Action] = resigns ? [.resign(because: reason)] : []
        #expect(claim.turn(conditions) == [.release(one, because: reason)] + resignation)
        #expect(claim.held == [])
    }

    @Test func aReleasedTermIsFinal() {
        var claim = holding()
        _ = claim.turn(.init(140, lease(3, until: 140)))
        #expect(claim.turn(.init(141, lease(3, until: 180))) == [])
        #expect(claim.turn(.init(150, lease(4, until: 190))) == claimOne)
    }

    @Test func removalFromTheConfigurationIsNotFinal() {
        var claim = holding()
        #expect(
            claim.turn(.init(110, lease(3, until: 140), wanted: [two])) == [
                .release(one, because: .removedFromConfiguration), .claim(two), .announce(two), .announce(two),
            ])
        #expect(
            claim.turn(.init(115, lease(3, until: 140), wanted: [])) == [
                .release(two, because: .removedFromConfiguration)
            ])
        #expect(claim.turn(.init(116, lease(3, until: 140))) == claimOne)
    }

    @Test func failedClaimGivesUpAndResigns() {
        var claim = holding()
        let conditions = Claim.Conditions(101, lease(3, until: 140))
        #expect(
            claim.fail(because: .claimFailed, conditions) == [
                .release(one, because: .claimFailed), .resign(because: .claimFailed),
            ])
        #expect(claim.turn(conditions) == [])
    }

    @Test func withoutAddressesThereIsNothingToResignFor() {
        var claim = Claim()
        #expect(claim.turn(.init(100, lease(3, until: 140), wanted: [], carrier: false)) == [])
        #expect(claim.nextDeadline == .distantFuture)
    }

    /// While no node has a carrier, the cluster still gets a leader for most of the time.
    @Test func resignationsThatDoNotHelpGetRare() {
        var claim = Claim()
        var resigned: [UInt64] = []
        for second in UInt64(1)...100 {
            let actions = claim.turn(.init(second * 1000, lease(second, until: second * 1000 + 40), carrier: false))
            if !actions.isEmpty { resigned.append(second) }
        }
        #expect(Array(resigned.prefix(7)) == [1, 2, 4, 8, 13, 18, 23])
    }

    /// All nodes of a cluster that was paused let their leases run out, and may keep their leader: as often as that
    /// happens, another one has to take over at once.
    @Test func whoHeldTheAddressesForAWhileResignsAtOnce() {
        var claim = Claim()
        for term in UInt64(1)...20 {
            let begin = term * 1500
            #expect(claim.turn(.init(begin, lease(term, until: begin + 1040))) == claimOne)
            let actions = claim.turn(.init(begin + 1050, lease(term, until: begin + 1040)))
            #expect(
                actions == [.release(one, because: .leaseExpired), .resign(because: .leaseExpired)], "term \(term)")
        }
    }

    /// Something takes the address away again and again: nodes must not only elect each other.
    @Test func whoCanNotHoldTheAddressesResignsRarely() {
        var claim = Claim()
        var resigned = 0
        for term in UInt64(1)...100 {
            let begin = term * 200
            _ = claim.turn(.init(begin, lease(term, until: begin + 40)))
            let actions = claim.fail(because: .addressTakenAway, .init(begin + 10, lease(term, until: begin + 50)))
            resigned += actions.contains(.resign(because: .addressTakenAway)) ? 1 : 0
        }
        #expect(resigned <= 7, "in 20 seconds")
    }

    @Test(arguments: UInt64(1)...200)
    func randomWalkKeepsTheInvariants(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var model = WalkModel()
        var claim = Claim()
        for _ in 0..<400 {
            let conditions = model.advance(&random)
            var actions = claim.turn(conditions)
            if random.chance(1, in: 20) {
                let reason: Claim.Reason = random.chance(1, in: 2) ? .claimFailed : .addressTakenAway
                actions += claim.fail(because: reason, conditions)
            }
            let broken = model.check(actions, claim, conditions)
            #expect(broken == nil, "seed \(seed) at \(conditions.now)")
            if broken != nil { return }
        }
    }
}

/// Draws conditions as a node in a bad network would see them, and checks what the claim makes of them.
private struct WalkModel {
    private var now = Instant.zero + .milliseconds(1)
    private var term: UInt64 = 1
    private var lease: Lease?
    private var held: Set<IPAddress> = []
    private var lastHeldTerm: UInt64 = 0
    private var releasedTerms: Set<UInt64> = []
    private var wanted: [IPAddress] = [one]

    mutating func advance(_ random: inout RandomSource) -> Claim.Conditions {
        now = now + .microseconds(UInt64(random.below(30_000)))
        if random.chance(1, in: 12) {
            term += 1
            let claimable = now + .milliseconds(UInt64(random.below(50)))
            let isLeader = random.chance(2, in: 3)
            lease = isLeader ? Lease(term: Term(term), validUntil: now, claimableFrom: claimable) : nil
        }
        if lease != nil, random.chance(4, in: 5) { lease!.validUntil = now + .milliseconds(UInt64(random.below(60))) }
        if random.chance(1, in: 20) { wanted = [[], [one], [two], [one, two]][Int(random.below(4))] }
        return Claim.Conditions(
            now: now, lease: lease, wanted: wanted, hasCarrier: !random.chance(1, in: 30),
            isShuttingDown: random.chance(1, in: 100))
    }

    /// What is wrong, nil when nothing is.
    mutating func check(_ actions: [Action], _ claim: Claim, _ conditions: Claim.Conditions) -> String? {
        for action in actions {
            switch action {
            case .claim(let address):
                guard let lease, lease.isHeld(at: now) else { return "claimed without a lease" }
                if releasedTerms.contains(lease.term.number) { return "claimed in released term \(lease.term)" }
                lastHeldTerm = lease.term.number
                if !held.insert(address).inserted { return "claimed \(address) twice" }
            case .announce(let address):
                if !held.contains(address) { return "announced \(address), which is not held" }
            case .release(let address, let reason):
                if held.remove(address) == nil { return "released \(address), which is not held" }
                if reason != .removedFromConfiguration { releasedTerms.insert(lastHeldTerm) }
            case .resign:
                if lease == nil { return "resigned without leading" }
            }
        }
        if Set(claim.held) != held { return "held \(claim.held), by the actions \(held)" }
        guard !held.isEmpty else { return nil }
        guard let lease, now < lease.validUntil else { return "held past the lease" }
        if claim.nextDeadline > lease.validUntil { return "sleeps past the lease" }
        return claim.nextDeadline > now ? nil : "asks for a turn in the past"
    }
}

extension RandomSource {
    fileprivate mutating func chance(_ hits: UInt32, in draws: UInt32) -> Bool { below(draws) < hits }
}
