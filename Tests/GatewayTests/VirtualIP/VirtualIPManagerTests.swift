import Gateway
import Posix
import Raft
import Testing

private let one = IPAddress("127.0.0.100")!
private let two = IPAddress("127.0.0.101")!
private let lease = Lease(term: Term(3), validUntil: at(140), claimableFrom: .zero)

private func at(_ milliseconds: UInt64) -> Instant { .zero + .milliseconds(milliseconds) }

private let refusal = VirtualIPError("refused", cure: "try elsewhere")

private final class FakeProvider: VirtualIPProvider {
    var present: Set<IPAddress> = []
    var announcements = 0
    var onHold: [IPAddress] = []
    var hold = ArrivalHold.nothing
    var refusesClaims = false
    var refusesReleases = false
    var lost = false
    var refusesExtensions = false
    var extendsTooLate = false
    var hasCarrier = true
    var fence = Fence.kernel
    var extendedUntil = Instant.zero
    var extended: [IPAddress] = []
    var closingTime: Nanoseconds?

    func configure(addresses: [IPAddress], ports: [UInt16]) {}

    func claim(_ address: IPAddress, until end: Instant) throws(VirtualIPError) {
        if refusesClaims { throw refusal }
        present.insert(address)
    }

    func extend(_ held: [IPAddress], until end: Instant) throws(VirtualIPError) -> Bool {
        if refusesExtensions { throw refusal }
        if extendsTooLate { return false }
        (extended, extendedUntil) = (held, end)
        return true
    }

    func announce(_ address: IPAddress) { announcements += 1 }

    func hold(_ hold: ArrivalHold, for addresses: [IPAddress]) { (self.hold, onHold) = (hold, addresses) }

    func release(_ address: IPAddress) throws(VirtualIPError) {
        if refusesReleases { throw refusal }
        present.remove(address)
    }

    func hasLost(anyOf held: [IPAddress]) -> Bool { lost }
}

@Suite struct VirtualIPManagerTests {
    private let provider = FakeProvider()

    private func manager(_ addresses: [IPAddress] = [one]) -> VirtualIPManager {
        let manager = VirtualIPManager(provider: provider)
        manager.configure(addresses: addresses, ports: [80])
        return manager
    }

    @Test func leaderHoldsUntilTheLeaseEnds() {
        let manager = manager([one, two])
        let start = manager.turn(now: at(100), lease: lease)
        #expect(start.hasChanged && start.resignation == nil && start.nextDeadline == at(120))
        #expect(provider.present == [one, two])
        #expect(provider.announcements == 4)
        let end = manager.turn(now: at(140), lease: lease)
        #expect(end.hasChanged && end.resignation == .leaseExpired)
        #expect(provider.present == [])
    }

    @Test func onlyHeldAddressesAreHeldBack() {
        let manager = manager()
        manager.keepBack(.newConnections, for: [one, two])
        #expect(provider.onHold == [])
        _ = manager.turn(now: at(100), lease: lease)
        manager.keepBack(.newConnections, for: [one, two])
        #expect(provider.onHold == [one] && provider.hold == .newConnections)
        manager.keepBack(.nothing, for: [])
        #expect(provider.hold == .nothing)
    }

    @Test func nothingIsOpenedWhileEverythingIsHeldBack() {
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        provider.extendedUntil = .zero
        manager.keepBack(.everything, for: [one, two])
        _ = manager.turn(now: at(110), lease: lease)
        #expect(provider.extendedUntil == .zero)
        manager.keepBack(.nothing, for: [])
        _ = manager.turn(now: at(111), lease: lease)
        #expect(provider.extendedUntil == lease.validUntil)
    }

    @Test func newConnectionsWaitBeforeTheEndOfALeaseThatNobodyRenews() {
        provider.closingTime = .milliseconds(8)
        let manager = manager()
        _ = manager.turn(now: at(120), lease: lease)
        #expect(manager.turn(now: at(121), lease: lease).nextDeadline == at(132))
        #expect(provider.hold == .nothing)
        #expect(manager.turn(now: at(132), lease: lease).nextDeadline == at(140))
        #expect(provider.hold == .newConnections && provider.onHold == [one] && manager.held == [one])
        #expect(manager.turn(now: at(140), lease: lease).hasChanged && manager.held == [])
        let next = Lease(term: Term(4), validUntil: at(190), claimableFrom: .zero)
        _ = manager.turn(now: at(150), lease: next)
        #expect(manager.held == [one] && provider.hold == .nothing)
    }

    @Test func theyAreLetInWhenItIsRenewed() {
        provider.closingTime = .milliseconds(8)
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        _ = manager.turn(now: at(133), lease: lease)
        #expect(provider.hold == .newConnections)
        var extended = lease
        extended.validUntil = at(150)
        #expect(manager.turn(now: at(135), lease: extended).nextDeadline == at(142))
        #expect(provider.hold == .nothing && provider.extendedUntil == at(150))
    }

    /// Who moves the addresses decides what waits.
    @Test func anOrderToKeepBackGoesBeforeTheEndOfALease() {
        provider.closingTime = .milliseconds(8)
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        manager.keepBack(.everything, for: [one])
        _ = manager.turn(now: at(133), lease: lease)
        #expect(provider.hold == .everything)
        manager.keepBack(.nothing, for: [])
        #expect(provider.hold == .nothing)
        _ = manager.turn(now: at(134), lease: lease)
        #expect(provider.hold == .newConnections)
    }

    @Test func othersStayOpenWhileOneIsShut() {
        let manager = manager([one, two])
        _ = manager.turn(now: at(100), lease: lease)
        manager.keepBack(.everything, for: [one])
        var extended = lease
        extended.validUntil = at(150)
        _ = manager.turn(now: at(110), lease: extended)
        #expect(provider.extended == [two] && provider.extendedUntil == at(150))
        manager.keepBack(.nothing, for: [])
        _ = manager.turn(now: at(111), lease: extended)
        #expect(provider.extended == [one, two])
    }

    @Test func anAddressThatComesBackIsOpenThoughItWasShut() {
        let manager = manager([one, two])
        let borrowed = AddressShare.borrowed([two], boot: 1)
        _ = manager.turn(now: at(100), lease: lease, share: .borrowed([one, two], boot: 1))
        manager.keepBack(.everything, for: [one])
        _ = manager.turn(now: at(101), lease: lease, share: borrowed)
        var extended = lease
        extended.validUntil = at(150)
        _ = manager.turn(now: at(110), lease: extended, share: .borrowed([one, two], boot: 1))
        #expect(provider.extended == [one, two])
    }

    @Test func aWeakerFenceGivesUpEarlier() {
        provider.fence = .guard
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        #expect(provider.extendedUntil == at(135))
        #expect(manager.turn(now: at(135), lease: lease).resignation == .leaseExpired)
    }

    @Test func eachExtensionIsPassedOn() {
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        #expect(provider.extendedUntil == at(140))
        var extended = lease
        extended.validUntil = at(150)
        _ = manager.turn(now: at(110), lease: extended)
        #expect(provider.extendedUntil == at(150))
    }

    /// What is held stays held as long as the lease does: the next extension of it is tried like the first.
    @Test func anExtensionThatComesTooLateIsMadeUpForByTheNext() {
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        provider.extendsTooLate = true
        var extended = lease
        extended.validUntil = at(150)
        let late = manager.turn(now: at(139), lease: extended)
        #expect(late.resignation == nil && manager.held == [one] && provider.extendedUntil == at(140))
        provider.extendsTooLate = false
        #expect(manager.turn(now: at(145), lease: extended).resignation == nil)
        #expect(provider.extendedUntil == at(150) && provider.present == [one])
        provider.extendsTooLate = true
        extended.validUntil = at(160)
        _ = manager.turn(now: at(148), lease: extended)
        #expect(manager.turn(now: at(160), lease: extended).resignation == .leaseExpired)
        #expect(provider.present == [])
    }

    @Test func refusedExtensionGivesUpAndIsFinal() {
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        provider.refusesExtensions = true
        var extended = lease
        extended.validUntil = at(150)
        #expect(manager.turn(now: at(110), lease: extended).resignation == .leaseExpired)
        #expect(provider.present == [] && manager.isClear)
        provider.refusesExtensions = false
        extended.validUntil = at(160)
        _ = manager.turn(now: at(120), lease: extended)
        #expect(provider.present == [])
    }

    @Test func addressLeftByAKilledProcessIsRemoved() {
        provider.present = [one]
        let manager = manager()
        #expect(provider.present == [])
        #expect(manager.held == [])
    }

    @Test func heldAddressSurvivesAConfigurationThatKeepsIt() {
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        manager.configure(addresses: [one, two], ports: [80])
        #expect(provider.present == [one])
        #expect(manager.turn(now: at(101), lease: lease).hasChanged)
        #expect(provider.present == [one, two])
    }

    @Test func refusedClaimResigns() {
        provider.refusesClaims = true
        let manager = manager()
        let turn = manager.turn(now: at(100), lease: lease)
        #expect(turn.resignation == .claimFailed)
        #expect(!turn.hasChanged)
        #expect(manager.held == [])
    }

    @Test func lostAddressResigns() {
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        provider.lost = true
        #expect(manager.turn(now: at(101), lease: lease).resignation == .addressTakenAway)
        #expect(provider.present == [])
    }

    @Test func nobodyHoldsAnythingAfterTheManager() {
        var manager: VirtualIPManager? = manager()
        _ = manager?.turn(now: at(100), lease: lease)
        #expect(provider.present == [one])
        manager = nil
        #expect(provider.present == [])
    }

    @Test func refusedReleaseIsTriedAgain() {
        let manager = manager()
        _ = manager.turn(now: at(100), lease: lease)
        provider.refusesReleases = true
        #expect(manager.turn(now: at(120), lease: nil).nextDeadline == at(130))
        #expect(!manager.isClear)
        provider.refusesReleases = false
        #expect(manager.turn(now: at(130), lease: nil).nextDeadline == .distantFuture)
        #expect(provider.present == [] && manager.isClear)
    }
}
