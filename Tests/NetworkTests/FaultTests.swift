import FoundationEssentials
import Glibc
import Namespaces
import Posix
import Testing

/// One fault of the node that holds the address.
private enum Fault: String, CaseIterable, CustomTestStringConvertible {
    case kill, terminate, transfer, stopGateway, stopAll, killAll, cutCable, crash
    case raftBlocked, nothingArrives, packetLoss

    var testDescription: String { rawValue }

    /// Whether another node takes the address over, or the fault may be lived with.
    var movesTheAddress: Bool {
        switch self {
        case .kill, .terminate, .transfer, .stopGateway, .stopAll, .killAll, .cutCable, .crash, .raftBlocked,
            .nothingArrives:
            true
        case .packetLoss: false
        }
    }
}

/// Breaks the holder in every way, and watches from the client's side that no two machines ever answer at one time.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct FaultTests {
    @Test(arguments: Fault.allCases)
    fileprivate func neverTwoOwners(_ fault: Fault) throws {
        let cluster = try NetworkCluster()
        let observer = try Observer(interface: "switch0", address: NetworkCluster.virtualAddress)
        defer { observer.stop() }
        for _ in 1...2 {
            let former = try cluster.holder()
            let hardware = try cluster.network.hardware(of: former)
            try #require(eventually { observer.current == hardware ? true : nil } == true)
            let repair = try cause(fault, at: former, in: cluster)
            if fault.movesTheAddress {
                let isMoved = eventually { observer.current != hardware ? true : nil }
                #expect(isMoved == true, "another node answers\n\(cluster.logs())")
            } else {
                let before = observer.answers
                #expect(eventually { observer.answers > before + 200 ? true : nil } == true, "\(cluster.logs())")
            }
            try repair()
            for node in cluster.network.nodes { try cluster.waitUntilWell(node) }
        }
        #expect(observer.violations.isEmpty, "two owners at one time\n\(cluster.logs())")
    }

    /// Several at once, of both IP versions: each has its own observer.
    @Test func severalAddressesMoveTogetherAndNoneHasTwoOwners() throws {
        let addresses = [NetworkCluster.virtualAddress, "10.77.0.101", "fd77::100"]
        let cluster = try NetworkCluster(addresses: addresses)
        let observers = try addresses.map { try Observer(interface: "switch0", address: $0) }
        defer { for observer in observers { observer.stop() } }
        for fault in [Fault.stopAll, .transfer, .cutCable, .kill] {
            let former = try cluster.holder()
            let hardware = try cluster.network.hardware(of: former)
            let isHeld = eventually { observers.allSatisfy { $0.current == hardware } ? true : nil }
            try #require(isHeld == true, "one machine has them all\n\(cluster.logs())")
            let repair = try cause(fault, at: former, in: cluster)
            let isMoved = eventually { observers.allSatisfy { $0.current != hardware } ? true : nil }
            #expect(isMoved == true, "\(fault): another node answers for all\n\(cluster.logs())")
            try repair()
            for node in cluster.network.nodes { try cluster.waitUntilWell(node) }
            let next = try cluster.holder()
            for address in addresses { #expect(try cluster.network.holders(of: address) == [next]) }
        }
        let service = try #require(SocketAddress("[fd77::100]:8080"))
        #expect(eventually { get(service, within: .seconds(1)) ? true : nil } == true, "served by IPv6")
        for (address, observer) in zip(addresses, observers) {
            #expect(observer.violations.isEmpty, "two owners of \(address)\n\(cluster.logs())")
        }
    }

    /// Returns what mends it.
    private func cause(_ fault: Fault, at node: Int, in cluster: NetworkCluster) throws -> () throws -> Void {
        let network = cluster.network
        let guardian = try cluster.guardProcess(of: node)
        func restart() throws {
            cluster.waitForEnd(node)
            try cluster.start(node)
        }
        switch fault {
        case .kill:
            cluster.signal(SIGKILL, node)
            return restart
        case .terminate:
            cluster.signal(SIGTERM, node)
            return restart
        case .transfer:
            try cluster.transfer(from: node)
            return {}
        case .stopGateway:
            cluster.signal(SIGSTOP, node)
            return { cluster.signal(SIGCONT, node) }
        case .stopAll:
            cluster.signal(SIGSTOP, node)
            kill(guardian, SIGSTOP)
            return {
                kill(guardian, SIGCONT)
                cluster.signal(SIGCONT, node)
            }
        case .killAll:
            kill(guardian, SIGKILL)
            cluster.signal(SIGKILL, node)
            return restart
        case .cutCable:
            try network.cut(node)
            return { try network.mend(node) }
        case .crash:
            try network.cut(node)
            kill(guardian, SIGKILL)
            cluster.signal(SIGKILL, node)
            return {
                try network.mend(node)
                try restart()
            }
        case .raftBlocked: return try lose(.raftIn, to: node, network)
        case .nothingArrives: return try lose(.everythingIn, to: node, network)
        case .packetLoss: return try lose(.someOfEverything, to: node, network)
        }
    }

    private func lose(
        _ loss: VirtualNetwork.Loss, to node: Int, _ network: VirtualNetwork
    ) throws -> () throws -> Void {
        try network.lose(loss, to: node)
        return { try network.loseNothing(to: node) }
    }
}
