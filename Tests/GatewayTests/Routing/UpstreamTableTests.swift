import Gateway
import Posix
import Synchronization
import Testing

/// Builds tables the way the control thread does and picks from them the way a worker does.
private struct Picking: ~Copyable {
    var registry = RuntimeRegistry(firstStep: 0, workers: 1)
    var random = RandomSource(seed: 42)
    var generation: UInt64 = 0

    mutating func table(
        _ algorithm: BalancingAlgorithm, weights: [Int], backups: Set<Int> = [], slowStart: Nanoseconds = .zero,
        now: Instant = .zero, usable: (Int) -> Bool = { _ in true }
    ) -> RoutingTable {
        let backends = weights.enumerated().map { index, weight in
            Backend(address: Picking.address(index), weight: weight, isBackup: backups.contains(index))
        }
        let configuration = GatewayConfiguration(
            listeners: [Listener(name: "web", port: 80)], routes: [Route(path: "/", upstream: "app")],
            upstreams: [Upstream(name: "app", algorithm: algorithm, backends: backends, slowStart: slowStart)])
        generation += 1
        return RoutingTable(
            configuration, generation: generation, registry: &registry, oldestAdopted: generation, now: now
        ) { key in usable(Int(key.address.port) - 1) }
    }

    mutating func picks(
        _ table: RoutingTable, _ count: Int, client: UInt64 = 1, tried: [Int] = [], now: Instant = .zero
    ) -> [Int] {
        var attempts = TriedBackends()
        for index in tried { attempts.insert(Int32(index)) }
        return (0..<count).map { _ in
            Int(table.upstreams[0].pick(clientHash: client, random: &random, tried: attempts, now: now) ?? -1)
        }
    }

    static func address(_ index: Int) -> SocketAddress {
        SocketAddress(ip: IPAddress("10.0.0.1")!, port: UInt16(index + 1))
    }
}

@Suite struct UpstreamTableTests {
    @Test func roundRobinGoesRoundAndKeepsItsPlaceOverTables() {
        var picking = Picking()
        let first = picking.table(.roundRobin, weights: [1, 1, 1])
        #expect(picking.picks(first, 4) == [0, 1, 2, 0])
        let second = picking.table(.roundRobin, weights: [1, 1, 1])
        #expect(picking.picks(second, 3) == [1, 2, 0])
    }

    @Test func weightedFollowsTheWeights() {
        var picking = Picking()
        let table = picking.table(.weighted, weights: [5, 1, 1])
        #expect(picking.picks(table, 7) == [0, 0, 1, 0, 2, 0, 0])
    }

    @Test func randomFollowsTheWeights() {
        var picking = Picking()
        let table = picking.table(.random, weights: [6, 3, 1])
        let picks = picking.picks(table, 10_000)
        let shares = (0..<3).map { choice in Double(picks.filter { $0 == choice }.count) / 10_000 }
        #expect(abs(shares[0] - 0.6) < 0.03 && abs(shares[1] - 0.3) < 0.03 && abs(shares[2] - 0.1) < 0.03)
    }

    @Test func leastConnectionsComparesLoadForWeight() {
        var picking = Picking()
        let table = picking.table(.leastConnections, weights: [2, 1, 1])
        let slots = table.upstreams[0].backends
        // Loads for weight with the request itself added: 3/2, 1/1, 3/1.
        slots[0].counters.pointee.activeRequests.add(2, ordering: .relaxed)
        slots[2].counters.pointee.activeRequests.add(2, ordering: .relaxed)
        #expect(picking.picks(table, 3) == [1, 1, 1])
        slots[1].counters.pointee.activeRequests.add(1, ordering: .relaxed)
        // Now 3/2, 2/1, 3/1.
        #expect(picking.picks(table, 3) == [0, 0, 0])
    }

    @Test func leastConnectionsSharesTies() {
        var picking = Picking()
        let table = picking.table(.leastConnections, weights: [1, 1, 1])
        #expect(Set(picking.picks(table, 3)) == [0, 1, 2])
    }

    @Test func aClientKeepsItsBackendAndComesBackToIt() {
        var picking = Picking()
        let all = picking.table(.ipHash, weights: [1, 1, 1, 1])
        let without = picking.table(.ipHash, weights: [1, 1, 1, 1]) { $0 != 2 }
        for client in (1...500).map({ mix($0) }) {
            let home = picking.picks(all, 1, client: client)[0]
            #expect(picking.picks(all, 3, client: client) == [home, home, home])
            let now = picking.picks(without, 1, client: client)[0]
            #expect(home == 2 ? now != 2 : now == home)
        }
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func neverAnUnusableOrTriedBackend(algorithm: BalancingAlgorithm) {
        var picking = Picking()
        let table = picking.table(algorithm, weights: [1, 2, 3, 4]) { $0 != 1 }
        for client in (0..<50).map({ mix($0) }) {
            let picks = picking.picks(table, 5, client: client, tried: [3])
            #expect(picks.allSatisfy { $0 == 0 || $0 == 2 })
            #expect(picking.picks(table, 1, client: client, tried: [0, 2, 3]) == [-1])
        }
        let none = picking.table(algorithm, weights: [1, 2]) { _ in false }
        #expect(picking.picks(none, 1) == [-1])
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func ejectedBackendsAreUsedOnlyWhenThereIsNoOther(algorithm: BalancingAlgorithm) {
        var picking = Picking()
        let table = picking.table(algorithm, weights: [1, 1])
        table.upstreams[0].backends[0].counters.pointee.avoid(until: Instant(nanoseconds: 10))
        for client in (0..<20).map({ mix($0) }) {
            #expect(picking.picks(table, 2, client: client) == [1, 1])
            #expect(picking.picks(table, 1, client: client, tried: [1]) == [0])
        }
        table.upstreams[0].backends[0].counters.pointee.readmit()
        let picks = (0..<200).flatMap { picking.picks(table, 1, client: mix($0)) }
        #expect(Set(picks) == [0, 1])
    }
}

@Suite struct StandInTests {
    private static let second = Instant(nanoseconds: 1_000_000_000)

    @Test(arguments: BalancingAlgorithm.allCases)
    func backupsAreUsedOnlyWhenNoPrimaryIsAvailable(algorithm: BalancingAlgorithm) {
        var picking = Picking()
        let table = picking.table(algorithm, weights: [1, 1, 1, 1], backups: [2, 3])
        let counters = table.upstreams[0].backends.map(\.counters)
        func clients(_ tried: [Int] = []) -> Set<Int> {
            Set((0..<50).flatMap { picking.picks(table, 2, client: mix($0), tried: tried) })
        }
        #expect(clients() == [0, 1])
        #expect(clients([0, 1]) == [2, 3])
        counters[0].pointee.avoid(until: Instant(nanoseconds: 10))
        #expect(clients() == [1])
        counters[1].pointee.eject(until: Instant(nanoseconds: 10))
        #expect(clients() == [2, 3])
        counters[2].pointee.avoid(until: Instant(nanoseconds: 10))
        counters[3].pointee.avoid(until: Instant(nanoseconds: 10))
        #expect(clients() == [0, 1], "suspicion makes nothing unavailable")
        let down = picking.table(algorithm, weights: [1, 1, 1, 1], backups: [2, 3]) { $0 > 1 }
        #expect(Set((0..<50).flatMap { picking.picks(down, 2, client: mix($0)) }).isSubset(of: [2, 3]))
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func aBackendThatComesBackGetsMoreAndMore(algorithm: BalancingAlgorithm) {
        var picking = Picking()
        let start = Nanoseconds.seconds(100)
        _ = picking.table(algorithm, weights: [1, 1], slowStart: start)
        _ = picking.table(algorithm, weights: [1, 1], slowStart: start) { $0 == 0 }
        let table = picking.table(algorithm, weights: [1, 1], slowStart: start, now: Self.second)
        func share(after seconds: UInt64) -> Int {
            let now = Self.second + .seconds(seconds)
            return (0..<2_000).count { picking.picks(table, 1, client: mix($0), now: now) == [1] } / 20
        }
        let shares = [0, 25, 50, 75, 100].map { share(after: $0) }
        #expect(shares[0] >= 2 && shares[0] <= 12, "\(shares)")
        for (earlier, later) in zip(shares, shares.dropFirst()) { #expect(earlier < later, "\(shares)") }
        #expect(shares[4] >= 45 && shares[4] <= 55, "\(shares)")
    }

    @Test func anEjectedBackendComesBackSlowlyAndClientsOfIPHashOnlyOnce() {
        var picking = Picking()
        let table = picking.table(.ipHash, weights: [1, 1], slowStart: .seconds(100))
        let clients = (0..<500).map { mix($0) }
        let homes = clients.filter { picking.picks(table, 1, client: $0) == [1] }
        table.upstreams[0].backends[1].counters.pointee.eject(until: Self.second)
        for client in homes {
            var isBack = false
            for seconds in stride(from: 0, through: 100, by: 10) {
                let isHome =
                    picking.picks(table, 1, client: client, now: Self.second + .seconds(UInt64(seconds))) == [1]
                #expect(isHome || !isBack, "who came back stays")
                isBack = isHome
            }
            #expect(isBack)
        }
    }

    @Test func ofTwoTheOneWithFewerRequestsForItsWeight() {
        var picking = Picking()
        let table = picking.table(.leastRequestP2C, weights: [2, 1])
        let counters = table.upstreams[0].backends.map(\.counters)
        counters[0].pointee.activeRequests.add(2, ordering: .relaxed)
        // Loads for weight with the request itself added: 3/2 and 1/1. Only what is drawn twice is not compared.
        #expect(picking.picks(table, 1_000).count { $0 == 1 } > 950)
        counters[1].pointee.activeRequests.add(1, ordering: .relaxed)
        #expect(picking.picks(table, 1_000).count { $0 == 0 } > 950)
    }

    @Test func ofTwoTheOneThatAnswersSooner() {
        var picking = Picking()
        let table = picking.table(.peakEWMA, weights: [1, 1])
        let counters = table.upstreams[0].backends.map(\.counters)
        counters[0].pointee.observe(.milliseconds(10), at: Self.second)
        counters[1].pointee.observe(.milliseconds(25), at: Self.second)
        #expect(picking.picks(table, 1_000, now: Self.second).count { $0 == 0 } > 950)
        counters[0].pointee.activeRequests.add(2, ordering: .relaxed)
        #expect(picking.picks(table, 1_000, now: Self.second).count { $0 == 1 } > 950)
    }
}

@Suite struct RuntimeRegistryTests {
    @Test func aBackendKeepsItsCountersWhileItIsNamedOrBusy() {
        var picking = Picking()
        let first = picking.table(.roundRobin, weights: [1, 1])
        let counters = first.upstreams[0].backends[1].counters
        counters.pointee.activeRequests.add(1, ordering: .relaxed)
        let key = BackendKey(upstream: "app", address: Picking.address(1))

        _ = picking.table(.roundRobin, weights: [1])
        _ = picking.table(.roundRobin, weights: [1])
        #expect(picking.registry.runtime(key) != nil, "a request is under way")

        counters.pointee.activeRequests.subtract(1, ordering: .relaxed)
        _ = picking.table(.roundRobin, weights: [1])
        #expect(picking.registry.runtime(key) == nil)

        let again = picking.table(.roundRobin, weights: [1, 1])
        #expect(again.upstreams[0].backends[1].runtimeID == 1, "the identifier is used again")
        #expect(again.runtimeIDBound == 2)
    }
}
