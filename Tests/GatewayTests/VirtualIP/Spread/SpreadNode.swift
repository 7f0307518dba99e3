import Gateway
import Posix
import Raft

/// A machine whose kernel answers on an address until the end that it was told, whatever its processes do.
final class GatedMachine: VirtualIPProvider {
    private(set) var ends: [IPAddress: Instant] = [:]

    var fence: Fence { .kernel }
    var hasCarrier: Bool { true }
    func configure(addresses: [IPAddress], ports: [UInt16]) {}
    func claim(_ address: IPAddress, until end: Instant) { ends[address] = end }
    func extend(_ held: [IPAddress], until end: Instant) { for address in held { ends[address] = end } }
    func announce(_ address: IPAddress) {}
    func hold(_ hold: ArrivalHold, for addresses: [IPAddress]) {}
    func release(_ address: IPAddress) { ends[address] = nil }
    func hasLost(anyOf held: [IPAddress]) -> Bool { false }
    func clear() { ends = [:] }
}

/// One gateway and what outlives its process.
struct SpreadNode {
    let id: NodeID
    private let founders: Membership
    private let clockStart: UInt64
    /// Local nanoseconds in a million of true ones.
    private let rate: UInt64

    var core: Raft
    private(set) var state = ClusterState()
    private var spreading = Spreading(calm: SpreadSimulation.calm)
    private var machine = GatedMachine()
    /// Of processes that ended, and whose guards have not acted yet, or never will.
    private var remains: [(seed: UInt64, machine: GatedMachine, hasGuard: Bool)] = []
    private var keeper: VirtualIPManager?
    private var durable = RecoveredState(foundingMembership: Membership(voters: []))
    private var deserted: Set<IPAddress> = []
    private(set) var boot = 0
    private(set) var seed: UInt64 = 0
    private(set) var lastLease: Lease?
    private(set) var lastShare = AddressShare.all
    private(set) var deadline = Instant.distantFuture
    private(set) var resigns = false
    private var addresses: [IPAddress] = []
    var proposals: UInt64 = 0
    var wakes = 0
    var diskFreeAt: UInt64 = 0
    var isUp = false
    var isPaused = false
    var waiting: [SpreadSimulation.Event] = []

    init(_ id: NodeID, _ founders: Membership, start: UInt64, _ rate: UInt64) {
        self.id = id
        self.founders = founders
        clockStart = start
        self.rate = rate
        durable = RecoveredState(foundingMembership: founders)
        core = Raft(Settings(id: id, timing: SpreadSimulation.timing, seed: 0), recovered: durable, at: .zero)
    }

    func now(at time: UInt64) -> Instant { Instant(nanoseconds: clockStart + time * rate / 1_000_000) }

    func time(of instant: Instant) -> UInt64 {
        guard instant.nanoseconds > clockStart else { return 0 }
        let (product, overflow) = (instant.nanoseconds - clockStart).multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max / 2 : (product + rate - 1) / rate
    }

    func answers(on address: IPAddress, at time: UInt64) -> Bool {
        let now = now(at: time)
        return ([machine] + remains.map(\.machine)).contains { $0.ends[address].map { now < $0 } ?? false }
    }

    mutating func start(seed: UInt64, addresses: [IPAddress], at time: UInt64) {
        // A new process's guard takes off what a former one left.
        remains = []
        machine = GatedMachine()
        keeper = VirtualIPManager(provider: machine)
        keeper?.configure(addresses: addresses, ports: [])
        self.addresses = addresses
        self.seed = seed
        boot += 1
        isUp = true
        isPaused = false
        state = ClusterState()
        spreading = Spreading(calm: SpreadSimulation.calm)
        deserted = []
        lastLease = nil
        lastShare = .all
        core = Raft(
            Settings(id: id, timing: SpreadSimulation.timing, seed: seed), recovered: durable, at: now(at: time))
    }

    /// The process is gone and its guard, too: the kernel goes on until the end that it knows.
    mutating func orphan() { keep(remaining: false) }

    private mutating func keep(remaining hasGuard: Bool) {
        let left = GatedMachine()
        for (address, end) in machine.ends { left.claim(address, until: end) }
        remains.append((seed, left, hasGuard))
        machine.clear()
        keeper = nil
    }

    /// False when another process has done it already.
    mutating func releaseAll(of seed: UInt64) -> Bool {
        guard self.seed == seed, !isUp else { return false }
        machine.clear()
        return true
    }

    mutating func keep(_ ticket: WriteTicket) {
        if let hardState = ticket.hardState { durable.hardState = hardState }
        if let first = ticket.entries.first {
            durable.entries.removeAll { $0.index >= first.index }
            durable.entries += ticket.entries
        }
    }

    mutating func apply(_ entry: Entry) {
        guard case .command(_, let bytes) = entry.payload, let command = try? Command(decoding: bytes) else { return }
        if case .changeLoan(let change) = command, change.term != entry.term { return }
        _ = state.apply(command)
    }

    mutating func withdraw(at time: UInt64) { _ = keeper?.turn(now: now(at: time), lease: nil) }

    /// What the host of a node does at the end of each turn; returns what it proposes.
    mutating func turn(at time: UInt64) -> [LoanChange] {
        let now = now(at: time)
        guard let keeper else { return [] }
        let plan = spreading.turn(
            Spreading.Conditions(
                now: now, raft: core.status, addresses: addresses, isSpread: true, loans: state.loans,
                occupied: keeper.occupied, deserted: deserted))
        let turn = keeper.turn(now: now, lease: plan.lease, share: plan.share)
        deserted = plan.departing
        lastLease = plan.lease
        lastShare = plan.share
        resigns = turn.resignation != nil && core.role == .leader
        deadline = min(plan.deadline, turn.nextDeadline)
        if !plan.departing.isEmpty { deadline = min(deadline, now + .milliseconds(1)) }
        core.lend(plan.lent, at: now)
        core.borrow(plan.wish, at: now)
        return plan.changes
    }
}
