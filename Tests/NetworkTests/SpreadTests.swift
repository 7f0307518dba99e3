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

    /// How long nobody answered for the victim's address, and for the one of the others that was silent longest, in ms.
    private func cause(
        _ fault: SpreadFault, in cluster: NetworkCluster, _ observers: [Observer]
    ) throws -> (own: Double, others: Double) {
        let leader = try cluster.leader(asking: 1)
        let victim: Int
        switch fault {
        case .killFollower, .stopFollowerAndGuard, .cutFollower, .terminateFollower, .stopFollower:
            victim = cluster.network.nodes.first { $0 != leader }!
        case .killLeader, .cutLeader, .transfer, .stopLeaderAndGuard: victim = leader
        }
        let address = try #require(
            try Self.addresses.firstIndex { try cluster.network.holders(of: $0) == [victim] },
            "gw\(victim) holds one\n\(cluster.logs())")
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

    private func waitUntilBalanced(_ cluster: NetworkCluster) throws {
        let isBalanced = eventually { () -> Bool? in
            let holders = Self.addresses.map { (try? cluster.network.holders(of: $0)) ?? [] }
            return holders.allSatisfy { $0.count == 1 } && Set(holders.map { $0[0] }).count == 3 ? true : nil
        }
        try #require(isBalanced == true, "each node holds one address\n\(cluster.logs())")
        for node in cluster.network.nodes { try cluster.waitUntilWell(node) }
    }
}
