import Gateway
import Posix
import Raft
import Testing

private let stamp = WallTime(millisecondsSince1970: 0)

private func registration(_ address: String, weight: Int = 1, seconds: Int = 10) -> Registration {
    Registration(address: SocketAddress(address)!, weight: weight, timeToLiveSeconds: seconds)
}

private func key(_ id: String, _ upstream: String = "app") -> RegistrationKey {
    RegistrationKey(upstream: upstream, id: id)
}

private func backend(_ address: String, _ upstream: String = "app") -> BackendKey {
    BackendKey(upstream: upstream, address: SocketAddress(address)!)
}

extension ClusterState {
    fileprivate mutating func register(_ id: String, _ registration: Registration) -> Outcome {
        apply(.register(RegistrationChange(key: key(id), registration: registration, at: stamp)))
    }

    fileprivate mutating func configure(_ backends: BackendKey...) {
        let change = ConfigurationChange(
            source: "x", backends: backends, virtualAddresses: [], expectedRevision: nil, author: "eva", at: stamp)
        _ = apply(.applyConfiguration(change))
    }
}

/// What the nodes agree on about backends that register themselves.
@Suite struct RegistrationTests {
    @Test func aRegisteredBackendIsOneUntilItGoes() {
        var state = ClusterState()
        state.configure(backend("10.0.0.1:80"))
        #expect(state.register("a", registration("10.0.0.2:80")) == .applied)
        #expect(state.register("a", registration("10.0.0.2:80")) == .unchanged)
        #expect(state.backends.keys.sorted() == [backend("10.0.0.1:80"), backend("10.0.0.2:80")])
        #expect(state.apply(.deregister(RegistrationRemoval(key: key("a"), at: stamp))) == .applied)
        #expect(state.backends.keys.sorted() == [backend("10.0.0.1:80")])
        #expect(
            state.apply(.deregister(RegistrationRemoval(key: key("a"), at: stamp)))
                == .refused(.registration(.unknown(key("a")))))
        #expect(state.journal.entries.map(\.event.kind).suffix(2) == ["backend-registered", "backend-deregistered"])
    }

    @Test func whatIsKnownOfABackendOutlivesItsNewWeightButNotItsNewAddress() {
        var state = ClusterState()
        _ = state.register("a", registration("10.0.0.2:80"))
        let mode = BackendModeChange(backend: backend("10.0.0.2:80"), mode: .draining, author: "eva", at: stamp)
        #expect(state.apply(.setBackendMode(mode)) == .applied)
        #expect(state.register("a", registration("10.0.0.2:80", weight: 7)) == .applied)
        #expect(state.backends[backend("10.0.0.2:80")]?.mode == .draining)
        state.configure(backend("10.0.0.1:80"))
        #expect(state.backends[backend("10.0.0.2:80")]?.mode == .draining)
        #expect(state.register("a", registration("10.0.0.3:80")) == .applied)
        #expect(state.backends[backend("10.0.0.2:80")] == nil)
        #expect(state.backends[backend("10.0.0.3:80")]?.mode == .enabled)
    }

    @Test func anAddressBelongsToOne() {
        var state = ClusterState()
        state.configure(backend("10.0.0.1:80"))
        _ = state.register("a", registration("10.0.0.2:80"))
        #expect(
            state.register("b", registration("10.0.0.2:80"))
                == .refused(.registration(.taken(backend("10.0.0.2:80"), by: "a"))))
        #expect(
            state.register("b", registration("10.0.0.1:80"))
                == .refused(.registration(.configured(backend("10.0.0.1:80")))))
        state.configure(backend("10.0.0.1:80"), backend("10.0.0.2:80"))
        #expect(state.registrations.entries.isEmpty)
        #expect(state.backends.count == 2)
    }

    @Test func onlyWhatWasNotMadeAnewExpires() throws {
        var state = ClusterState()
        _ = state.register("a", registration("10.0.0.2:80"))
        _ = state.register("b", registration("10.0.0.3:80"))
        let serials = state.registrations.entries.values.map(\.serial)
        _ = state.register("a", registration("10.0.0.2:80", weight: 2))
        #expect(state.apply(.expireRegistrations(serials, at: stamp)) == .applied)
        #expect(state.registrations.entries.keys.map(\.id) == ["a"])
        #expect(state.backends.keys.map(\.address) == [SocketAddress("10.0.0.2:80")!])
        #expect(state.apply(.expireRegistrations(serials, at: stamp)) == .unchanged)
    }

    @Test func thereAreOnlySoMany() {
        var state = ClusterState()
        for number in 0..<Registrations.Limit.count {
            let address = SocketAddress(ip: IPAddress(v4: 0x0a00_0000 + UInt32(number)), port: 80)
            let one = Registration(address: address, weight: 1, timeToLiveSeconds: 5)
            #expect(state.register("r\(number)", one) == .applied)
        }
        let refusal = Refusal.tooMany(what: "registrations", limit: Registrations.Limit.count)
        #expect(state.register("more", registration("10.9.9.9:80")) == .refused(refusal))
        #expect(state.register("r7", registration("10.9.9.9:80")) == .applied)
    }

    @Test func snapshotsAndCommandsKeepThem() throws {
        var state = ClusterState()
        let change = RegistrationChange(key: key("a"), registration: registration("[fd00::1]:80", weight: 9), at: stamp)
        for command in [
            Command.register(change), .expireRegistrations([3, 7], at: stamp),
            .deregister(RegistrationRemoval(key: key("b"), at: stamp)), .register(change),
        ] {
            #expect(try Command(decoding: command.encoded()) == command)
            _ = state.apply(command)
        }
        #expect(state.registrations.entries.count == 1)
        #expect(try ClusterState(decoding: state.encoded()) == state)
    }

    @Test func theyStandBehindTheConfiguredOnesOfTheirUpstream() {
        var state = ClusterState()
        _ = state.register("b", registration("10.0.0.9:80", weight: 3))
        _ = state.register("a", registration("10.0.0.10:80"))
        let other = RegistrationChange(key: key("x", "gone"), registration: registration("10.0.0.7:80"), at: stamp)
        _ = state.apply(.register(other))
        let joined = Sample.configuration.joined(by: state.registrations)
        #expect(
            joined.upstreams[0].backends.map(\.address.description)
                == ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.9:80", "10.0.0.10:80"])
        #expect(joined.upstreams[0].backends[2].weight == 3)
    }
}

/// When the leader lets registrations go.
@Suite struct RegistrationLeaseTests {
    private let start = Instant.zero + .seconds(100)

    private func registrations(_ seconds: Int...) -> Registrations {
        var state = ClusterState()
        for (index, seconds) in seconds.enumerated() {
            _ = state.register("r\(index)", registration("10.0.0.\(index + 1):80", seconds: seconds))
        }
        return state.registrations
    }

    @Test func whatIsNotRenewedRunsOut() {
        let known = registrations(10, 20)
        var leases = RegistrationLeases()
        leases.lead(in: Term(1), known, renewed: [], now: start)
        #expect(leases.expired(at: start + .milliseconds(9_999)) == [])
        #expect(leases.expired(at: start + .seconds(10)) == [1])
        leases.lead(in: Term(1), known, renewed: [1, 77], now: start + .seconds(8))
        #expect(leases.expired(at: start + .seconds(17)) == [])
        #expect(leases.expired(at: start + .seconds(20)) == [1, 2])
    }

    @Test func aNewLeaderGrantsAllAnewAndAnOldOneForgets() {
        let known = registrations(10)
        var leases = RegistrationLeases()
        leases.lead(in: Term(1), known, renewed: [], now: start)
        leases.lead(in: Term(2), known, renewed: [], now: start + .seconds(9))
        #expect(leases.expired(at: start + .seconds(18)) == [])
        #expect(leases.expired(at: start + .seconds(19)) == [1])
        leases.follow()
        #expect(leases.expired(at: start + .seconds(1000)) == [])
        leases.lead(in: Term(2), known, renewed: [], now: start + .seconds(1000))
        #expect(leases.expired(at: start + .seconds(1009)) == [])
    }

    @Test func anotherRegistrationLeavesTheDeadlinesOfTheRest() {
        var leases = RegistrationLeases()
        leases.lead(in: Term(1), registrations(10), renewed: [], now: start)
        leases.lead(in: Term(1), registrations(10, 10), renewed: [], now: start + .seconds(5))
        #expect(leases.expired(at: start + .seconds(10)) == [1])
        #expect(leases.expired(at: start + .seconds(15)) == [1, 2])
    }

    /// Against a model: who renews in time, whoever leads, is never let go; who stopped is, after its time and at most
    /// what an election grants anew.
    @Test(arguments: 1...50)
    func theLivingStayAndTheDeadGo(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let known = registrations(5, 8, 13, 21)
        var leases = RegistrationLeases()
        var term = UInt64(1)
        var elected = start
        let deadSince = start + .seconds(UInt64(random.below(60)))
        for step in 0..<1_200 {
            let now = start + .milliseconds(UInt64(step) * 100)
            if random.below(200) == 0 {
                term += 1
                elected = now
            }
            // The first three renew every 2.5 s and are told for a while, the last one until it dies.
            let renewed = step % 25 < 10 ? [1, 2, 3] + (now < deadSince ? [4] : []) : []
            leases.lead(in: Term(term), known, renewed: renewed.map(UInt64.init), now: now)
            let expired = leases.expired(at: now)
            #expect(expired.allSatisfy { $0 == 4 }, "\(now)")
            let latest = max(elected, deadSince) + .seconds(21)
            if now > latest { #expect(expired == [4]) }
            if now < deadSince { #expect(expired.isEmpty) }
        }
    }

    @Test func aRenewalIsToldForAWhile() {
        var renewals = RecentRenewals()
        renewals.note(2, now: start)
        renewals.note(1, now: start + .seconds(1))
        #expect(renewals.serials(at: start + .seconds(2)) == [1, 2])
        #expect(renewals.serials(at: start + .seconds(2) + .milliseconds(1)) == [1])
        for serial in 0..<UInt64(2 * Registrations.Limit.count) { renewals.note(serial, now: start + .seconds(2)) }
        #expect(renewals.serials(at: start + .seconds(2)).count == Registrations.Limit.count)
    }
}
