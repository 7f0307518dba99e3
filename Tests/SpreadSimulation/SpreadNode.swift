import Gateway
import Posix
import Raft

/// A machine whose kernel answers on an address until the end that it was told, whatever its processes do.
final class GatedMachine: VirtualIPProvider {
    private(set) var ends: [IPAddress: Instant] = [:]
    /// No address can be taken off by itself.
    var isJammed = false

    var fence: Fence { .kernel }
    var hasCarrier: Bool { true }
    func configure(addresses: [IPAddress], ports: [UInt16]) {}
    func claim(_ address: IPAddress, until end: Instant) { ends[address] = end }
    func extend(_ held: [IPAddress], until end: Instant) -> Bool {
        for address in held { ends[address] = end }
        return true
    }
    func announce(_ address: IPAddress) {}
    func hold(_ hold: ArrivalHold, for addresses: [IPAddress]) {}
    func release(_ address: IPAddress) throws(VirtualIPError) {
        if isJammed && ends[address] != nil { throw VirtualIPError("jammed", cure: "wait") }
        ends[address] = nil
    }
    func hasLost(anyOf held: [IPAddress]) -> Bool { false }
    func clear() { ends = [:] }
}

/// One gateway and what outlives its process.
struct SpreadNode {
    enum Process: Hashable {
        case none, runs, stopped
        /// Consensus has ended for good in one process, and not begun in the next one.
        case isReplaced
    }

    let id: NodeID
    private let clockStart: UInt64
    /// Local nanoseconds in a million of true ones.
    private let rate: UInt64

    var core: Raft
    private(set) var loans = Loans()
    private var spreading = Spreading(calm: SpreadSimulation.calm)
    private var machine = GatedMachine()
    /// What processes left whose guards have not acted yet, or never will.
    private var remains: [GatedMachine] = []
    private var keeper: VirtualIPManager?
    private(set) var durable: RecoveredState
    private var deserted: Set<IPAddress> = []
    /// Counts what ran consensus here.
    private(set) var boot = 0
    /// As whom the node borrows.
    private(set) var seed: UInt64 = 0
    private(set) var lastLease: Lease?
    private(set) var lastShare = AddressShare.all
    private(set) var deadline = Instant.distantFuture
    private(set) var resigns = false
    /// Others may not be told yet that this lease is given up.
    private var surrendered: Term?
    private let addresses: [IPAddress]
    var process = Process.none
    var pauses = false
    /// Since when something keeps the node from holding addresses; nil when nothing does.
    var unableSince: UInt64?
    /// Who told this leader, in which term, that it can hold nothing, and still can not.
    var unable: [NodeID: Term] = [:]
    var proposals: UInt64 = 0
    var wakes = 0
    var diskFreeAt: UInt64 = 0
    var waiting: [SpreadSimulation.Event] = []

    init(_ id: NodeID, _ founders: Membership, _ addresses: [IPAddress], start: UInt64, _ rate: UInt64) {
        self.id = id
        self.addresses = addresses
        clockStart = start
        self.rate = rate
        durable = RecoveredState(foundingMembership: founders)
        core = Raft(Settings(id: id, timing: SpreadSimulation.timing, seed: 0), recovered: durable, at: .zero)
    }

    var isUp: Bool { process == .runs || process == .stopped }

    func now(at time: UInt64) -> Instant { Instant(nanoseconds: clockStart + time * rate / 1_000_000) }

    func time(of instant: Instant) -> UInt64 {
        guard instant.nanoseconds > clockStart else { return 0 }
        let (product, overflow) = (instant.nanoseconds - clockStart).multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max / 2 : (product + rate - 1) / rate
    }

    func answers(on address: IPAddress, at time: UInt64) -> Bool {
        let now = now(at: time)
        return ([machine] + remains).contains { $0.ends[address].map { now < $0 } ?? false }
    }

    // MARK: Processes

    /// `known`: the state of the snapshot that is on the disk.
    mutating func start(seed: UInt64, knowing known: Loans, at time: UInt64) {
        // A new process's guard takes off what a former one left.
        remains = []
        machine = GatedMachine()
        keeper = VirtualIPManager(provider: machine)
        keeper?.configure(addresses: addresses, ports: [])
        begin(seed: seed, knowing: known, continuing: nil, at: time)
    }

    /// A process takes the former one's place, and goes on with its guard.
    mutating func succeed(seed: UInt64, knowing known: Loans, continuing: Continuation?, at time: UInt64) {
        begin(seed: seed, knowing: known, continuing: continuing, at: time)
        if continuing != nil { self.seed = core.status.lending.boot }
    }

    private mutating func begin(seed: UInt64, knowing known: Loans, continuing: Continuation?, at time: UInt64) {
        self.seed = seed
        boot += 1
        process = .runs
        pauses = false
        unable = [:]
        loans = known
        spreading = Spreading(calm: SpreadSimulation.calm)
        deserted = []
        surrendered = nil
        core = Raft(
            Settings(id: id, timing: SpreadSimulation.timing, limits: SpreadSimulation.limits, seed: seed),
            recovered: durable, continuing: continuing, at: now(at: time))
        if let snapshot = durable.snapshot { core.applied(through: snapshot.index, at: now(at: time)) }
    }

    /// Another process is about to run consensus.
    mutating func suspend() {
        process = .isReplaced
        boot += 1
        waiting = []
    }

    mutating func crash() {
        process = .none
        boot += 1
        waiting = []
    }

    /// The guard is gone, too: the kernel goes on until the end that it knows.
    mutating func orphan() {
        let left = GatedMachine()
        for (address, end) in machine.ends { left.claim(address, until: end) }
        remains.append(left)
        machine.clear()
        keeper = nil
    }

    /// False when another process has done it already.
    mutating func releaseAll(of seed: UInt64) -> Bool {
        guard self.seed == seed, process == .none else { return false }
        machine.clear()
        return true
    }

    // MARK: Disk and state

    mutating func keep(_ ticket: WriteTicket) {
        if let hardState = ticket.hardState { durable.hardState = hardState }
        if let snapshot = ticket.snapshot {
            durable.snapshot = snapshot
            durable.entries = []
        }
        if let first = ticket.entries.first {
            durable.entries.removeAll { $0.index >= first.index }
            durable.entries += ticket.entries
        }
    }

    mutating func keep(_ snapshot: Snapshot, at time: UInt64) {
        durable.snapshot = snapshot
        durable.entries.removeAll { $0.index <= snapshot.index }
        core.snapshotTaken(snapshot, at: now(at: time))
    }

    mutating func apply(_ change: LoanChange, appendedIn term: Term) {
        if change.term == term { _ = loans.apply(change) }
    }

    mutating func restore(_ state: Loans) { loans = state }

    // MARK: Turns

    mutating func jam(_ isJammed: Bool) { machine.isJammed = isJammed }

    mutating func surrender(_ term: Term, at time: UInt64) {
        _ = keeper?.turn(now: now(at: time), lease: nil)
        surrendered = term
        confirmSurrender(at: time)
    }

    private mutating func confirmSurrender(at time: UInt64) {
        guard let term = surrendered, keeper?.isClear == true else { return }
        surrendered = nil
        core.leaseWithdrawn(term, at: now(at: time))
    }

    /// What the host of a node does at the end of each turn; returns what it proposes.
    mutating func turn(at time: UInt64) -> [LoanChange] {
        let now = now(at: time)
        guard let keeper else { return [] }
        let plan = spreading.turn(
            Spreading.Conditions(
                now: now, raft: core.status, addresses: addresses, isSpread: true, loans: loans.all,
                occupied: keeper.occupied, deserted: deserted, isAble: unableSince == nil, pauses: pauses))
        let turn = keeper.turn(now: now, lease: plan.lease, share: plan.share)
        confirmSurrender(at: time)
        deserted = plan.departing
        lastLease = plan.lease
        lastShare = plan.share
        resigns = turn.resignation != nil && core.role == .leader
        deadline = min(plan.deadline, turn.nextDeadline)
        if !plan.departing.isEmpty { deadline = min(deadline, now + .milliseconds(1)) }
        core.lend(plan.lent, long: plan.long, at: now)
        core.borrow(plan.wish, at: now)
        return plan.changes
    }

    /// Whether all that this node holds and lends lasts long enough for another process to take its place.
    func outlastsPause(at time: UInt64) -> Bool {
        let raft = core.status
        let least = now(at: time) + SpreadSimulation.timing.pause / 2
        guard raft.role == .leader else {
            return raft.borrowed.map { $0.rights.isEmpty || $0.validUntil > least } ?? true
        }
        return (raft.pauseEnd ?? .zero) > least && raft.peers.allSatisfy { $0.granted.isEmpty || $0.hasLongGrant }
    }
}
