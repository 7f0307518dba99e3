import Glibc
import Namespaces
import Posix
import Testing

/// What happens to a node that holds one of several spread addresses.
private enum SpreadFault: String, CaseIterable, Hashable {
    case killFollower, stopFollowerAndGuard, cutFollower, terminateFollower, stopFollower
    case killLeader, cutLeader, transfer, stopLeaderAndGuard

    /// Those that the tests always cause; the others come with `GWNODE_SPREAD_ROUNDS`.
    static let usual: [SpreadFault] = [.killFollower, .stopFollowerAndGuard, .killLeader]
}

/// How an address leaves a node on purpose.
private enum SpreadMove: CaseIterable {
    case drain, terminate, transfer
}

/// Three addresses on three gateways, one each. No two machines ever answer for one, whoever fails.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct SpreadTests {
    private static let addresses = ["10.77.0.100", "10.77.0.101", "10.77.0.102"]
    private static let rounds = getenv("GWNODE_SPREAD_ROUNDS").flatMap { Int(String(cString: $0)) }

    @Test func noAddressHasTwoOwnersWhoeverFails() throws {
        let cluster = try NetworkCluster(timing: "lan", addresses: Self.addresses, isSpread: true)
        let observers = try Self.addresses.map { try Observer(interface: "switch0", address: $0) }
        defer { for observer in observers { observer.stop() } }
        let faults = Self.rounds.map { Array(repeating: SpreadFault.allCases, count: $0).flatMap(\.self) }
        var outages: [SpreadFault: [(own: Double, others: Double)]] = [:]
        for fault in faults ?? SpreadFault.usual {
            try waitUntilBalanced(cluster)
            let outage = try cause(fault, in: cluster, observers)
            outages[fault, default: []].append(outage)
        }
        try waitUntilBalanced(cluster)
        for (address, observer) in zip(Self.addresses, observers) {
            #expect(observer.violations.isEmpty, "two owners of \(address)\n\(cluster.logs())")
        }
        for (fault, times) in outages.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let own = times.map(\.own).sorted()
            let others = times.map(\.others).sorted()
            print(
                "spread, \(fault) ×\(own.count): outage of the victim's address, median \(own[own.count / 2]) ms, "
                    + "maximum \(own.last!) ms; of the others, median \(others[others.count / 2]) ms, "
                    + "maximum \(others.last!) ms")
        }
    }

    /// A connection is at whoever has its address, whether that is lent, given back by a node that is drained or stopped, or
    /// handed over with leadership; and no request that meets the move fails.
    @Test func connectionsGoAlong() throws {
        let backend = try NumberedBackend()
        defer { backend.stop() }
        let cluster = try NetworkCluster(
            timing: PlannedMoveTests.timing, moveTimeout: "20s", addresses: Self.addresses, isSpread: true,
            hasNumberedBackend: true)
        let services = Self.addresses.map { SocketAddress("\($0):8080")! }
        // Those that begin at the first leader go along when it lends their addresses for the first time.
        var clients = try IdleClients(60, to: services)
        let load = try NumberedLoad(clients: 6, to: services)
        for move in SpreadMove.allCases {
            try waitUntilBalanced(cluster)
            try #require(clients.ask() == [], "before \(move)\n\(cluster.logs())")
            let leader = try cluster.leader(asking: 1)
            let borrowers = cluster.network.nodes.filter { $0 != leader }
            switch move {
            case .drain:
                // Both give back at once.
                let orders = try borrowers.map { try cluster.beginOrder(["node", "drain", "gw\($0)"], at: $0) }
                for order in orders { #expect(order.wait() == .exited(status: 0)) }
            case .terminate: cluster.signal(SIGTERM, borrowers[0])
            case .transfer: try cluster.transfer(from: leader)
            }
            let isMoved = eventually {
                switch move {
                case .drain, .terminate:
                    let departed = move == .drain ? borrowers : [borrowers[0]]
                    let holders = Self.addresses.map { (try? cluster.network.holders(of: $0)) ?? [] }
                    return holders.allSatisfy { $0.count == 1 && !departed.contains($0[0]) } ? true : nil
                case .transfer: return (try? cluster.leader(asking: 1)) != leader ? true : nil
                }
            }
            try #require(isMoved == true, "\(move)\n\(cluster.logs())")
            #expect(clients.ask() == [], "after \(move)\n\(cluster.logs())")
            switch move {
            case .drain:
                for borrower in borrowers { try cluster.order(["node", "undrain", "gw\(borrower)"], at: leader) }
            case .terminate:
                cluster.waitForEnd(borrowers[0])
                try cluster.start(borrowers[0])
            case .transfer: break
            }
        }
        try waitUntilBalanced(cluster)
        #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
        load.stop()
        #expect(clients.ask() == [], "\(cluster.logs())")
        #expect(load.problems == [], "\(cluster.logs())")
        #expect(backend.problems == [])
    }

    /// How long nobody answered for the victim's address, and for the one of the others that was silent longest, in ms.
    private func cause(
        _ fault: SpreadFault, in cluster: NetworkCluster, _ observers: [Observer]
    ) throws -> (own: Double, others: Double) {
        let (victim, address) = try chooseVictim(of: fault, in: cluster)
        let guardian = try cluster.guardProcess(of: victim)
        for observer in observers { _ = observer.takeLongestSilence() }
        let former = try cluster.network.hardware(of: victim)
        switch fault {
        case .killFollower, .killLeader: cluster.signal(SIGKILL, victim)
        case .terminateFollower: cluster.signal(SIGTERM, victim)
        case .stopFollower: cluster.signal(SIGSTOP, victim)
        case .stopFollowerAndGuard, .stopLeaderAndGuard:
            cluster.signal(SIGSTOP, victim)
            kill(guardian, SIGSTOP)
        case .cutFollower, .cutLeader: try cluster.network.cut(victim)
        case .transfer: try cluster.transfer(from: victim)
        }
        let isMoved = eventually { observers[address].current != former ? true : nil }
        try #require(isMoved == true, "\(fault): another node answers\n\(cluster.logs())")
        let answered = observers.map(\.answers)
        let isCalm = eventually { zip(observers, answered).allSatisfy { $0.answers > $1 + 30 } ? true : nil }
        try #require(isCalm == true, "\(fault): every address is answered for\n\(cluster.logs())")
        let silences = observers.map { $0.takeLongestSilence().milliseconds }
        switch fault {
        case .killFollower, .killLeader, .terminateFollower:
            cluster.waitForEnd(victim)
            try cluster.start(victim)
        case .stopFollower: cluster.signal(SIGCONT, victim)
        case .stopFollowerAndGuard, .stopLeaderAndGuard:
            kill(guardian, SIGCONT)
            cluster.signal(SIGCONT, victim)
        case .cutFollower, .cutLeader: try cluster.network.mend(victim)
        case .transfer: break
        }
        let others = silences.indices.filter { $0 != address }.map { silences[$0] }
        return (silences[address], others.max() ?? 0)
    }

    /// A node as the fault is about, and the address that it alone holds. On a busy machine leases are lost at any time, and
    /// leader and holders change.
    private func chooseVictim(
        of fault: SpreadFault, in cluster: NetworkCluster
    ) throws -> (node: Int, address: Int) {
        let found = eventually { () -> (node: Int, address: Int)? in
            guard let leader = try? cluster.leader(asking: 1) else { return nil }
            let victim: Int
            switch fault {
            case .killFollower, .stopFollowerAndGuard, .cutFollower, .terminateFollower, .stopFollower:
                victim = cluster.network.nodes.first { $0 != leader }!
            case .killLeader, .cutLeader, .transfer, .stopLeaderAndGuard: victim = leader
            }
            let held = Self.addresses.firstIndex { (try? cluster.network.holders(of: $0)) == [victim] }
            return held.map { (victim, $0) }
        }
        return try #require(found, "a node as \(fault) is about holds an address\n\(cluster.logs())")
    }

    private func waitUntilBalanced(_ cluster: NetworkCluster) throws {
        let isBalanced = eventually { () -> Bool? in
            let holders = Self.addresses.map { (try? cluster.network.holders(of: $0)) ?? [] }
            return holders.allSatisfy { $0.count == 1 } && Set(holders.map { $0[0] }).count == 3 ? true : nil
        }
        try #require(isBalanced == true, "each node holds one address\n\(cluster.logs())")
        for node in cluster.network.nodes { try cluster.waitUntilWell(node) }
    }
}
