import Gateway
import Posix
import Raft

/// A cluster that spreads addresses, in one thread and from one seed: the real core, the real decisions and the real
/// keeper of addresses, over a simulated network, disks, clocks, guards and kernel gates.
struct SpreadSimulation {
    static let timing = Timing.lan
    static let calm = Nanoseconds.milliseconds(100)
    static let faultyTime: UInt64 = 1_500_000_000
    static let recovery: UInt64 = 5_000_000_000

    enum Event {
        case deliver(Envelope, from: Int)
        case wake(Int, boot: Int, number: Int)
        case written(Int, boot: Int, WriteTicket)
        case released(Int, boot: Int, seed: UInt64, Lease?, isBorrowed: Bool)
        case notice(to: Int, about: Int, ReleaseNotice)
        case start(Int)
        case resume(Int)
        case fault
        case heal
    }

    let seed: UInt64
    let addresses: [IPAddress]
    var random: SplitMix64
    var time: UInt64 = 0
    var sequence: UInt64 = 0
    var queue: [(at: UInt64, number: UInt64, event: Event)] = []
    var nodes: [SpreadNode]
    var cuts: Set<Int> = []
    var isFaulty = true
    private let lost: Int
    private let delay: ClosedRange<UInt64>
    private let faultGap: ClosedRange<UInt64>
    private(set) var violation: String?
    private(set) var counts: [String: Int] = [:]
    private(set) var transcript: [String] = []

    init(seed: UInt64) {
        self.seed = seed
        var random = SplitMix64(seed: seed)
        let size = [3, 3, 5][Int(random.next() % 3)]
        addresses = (0..<(2 + random.next() % 4)).map { IPAddress(v4: 0x0a00_0064 + UInt32($0)) }
        lost = [0, 0, 10, 100][Int(random.next() % 4)]
        delay = 50_000...[200_000, 1_000_000, 4_000_000][Int(random.next() % 3)]
        faultGap = 1_000_000...[40_000_000, 150_000_000, 400_000_000][Int(random.next() % 3)]
        let founders = Membership(voters: (1...UInt64(size)).map { NodeID($0) })
        nodes = (0..<size).map { position in
            let rate = 990_000 + random.next() % 20_001
            return SpreadNode(NodeID(UInt64(position) + 1), founders, start: 1 << 32 + random.next() % 1_000_000, rate)
        }
        self.random = random
    }

    /// Nil for a good run.
    mutating func run() -> String? {
        for position in nodes.indices { start(position) }
        schedule(.fault, in: faultGap)
        while violation == nil, let next = popEvent(), next.at <= Self.faultyTime + Self.recovery {
            if isFaulty && next.at > Self.faultyTime { heal() }
            time = max(time, next.at)
            handle(next.event)
            checkHolders()
        }
        if violation == nil { checkBalance() }
        return violation
    }

    mutating func count(_ what: String) { counts[what, default: 0] += 1 }

    mutating func trace(_ line: String) {
        if transcript.count > 4000 { transcript.removeFirst(2000) }
        transcript.append("\(time / 1000) \(line)")
    }

    // MARK: Events

    mutating func schedule(_ event: Event, at when: UInt64) {
        sequence += 1
        let item = (at: max(when, time + 1), number: sequence, event: event)
        var (low, high) = (0, queue.count)
        while low < high {
            let middle = (low + high) / 2
            if (queue[middle].at, queue[middle].number) > (item.at, item.number) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        queue.insert(item, at: low)
    }

    mutating func schedule(_ event: Event, in range: ClosedRange<UInt64>) { schedule(event, at: time + draw(range)) }

    private mutating func popEvent() -> (at: UInt64, number: UInt64, event: Event)? { queue.popLast() }

    mutating func draw(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + random.next() % (range.upperBound - range.lowerBound + 1)
    }

    mutating func chance(_ thousandths: Int) -> Bool { random.next() % 1000 < UInt64(thousandths) }

    private mutating func handle(_ event: Event) {
        switch event {
        case .deliver(let envelope, let sender):
            let receiver = Int(envelope.to.number) - 1
            guard isRunning(receiver, or: event) else { return }
            nodes[receiver].core.step(envelope.message, from: nodes[sender].id, at: now(receiver))
            turn(receiver)
        case .wake(let position, let boot, let number):
            guard nodes[position].boot == boot, nodes[position].wakes == number, nodes[position].isUp,
                !nodes[position].isPaused
            else { return }
            nodes[position].core.tick(at: now(position))
            turn(position)
        case .written(let position, let boot, let ticket):
            guard nodes[position].boot == boot, isRunning(position, or: event) else { return }
            nodes[position].keep(ticket)
            nodes[position].core.persisted(ticket.id, at: now(position))
            turn(position)
        case .released(let position, _, let seed, let lease, let isBorrowed):
            release(position, seed, lease, isBorrowed)
        case .notice(let position, let about, let notice):
            guard isRunning(position, or: event) else { return }
            switch notice.cause {
            case .borrowerGone: nodes[position].core.borrowerGone(nodes[about].id, boot: notice.boot, at: now(position))
            case .processGone, .leaseExpired:
                nodes[position].core.leaderReleased(
                    notice.term, by: nodes[about].id, processGone: notice.cause == .processGone, at: now(position))
            }
            turn(position)
        case .start(let position): if !nodes[position].isUp { start(position) }
        case .resume(let position): resume(position)
        case .fault: if isFaulty { injectFault() }
        case .heal: cuts = []
        }
    }

    private mutating func isRunning(_ position: Int, or event: Event) -> Bool {
        guard nodes[position].isUp else { return false }
        if nodes[position].isPaused { nodes[position].waiting.append(event) }
        return !nodes[position].isPaused
    }

    func now(_ position: Int) -> Instant { nodes[position].now(at: time) }

    // MARK: Faults

    private mutating func start(_ position: Int) {
        nodes[position].start(seed: random.next(), addresses: addresses, at: time)
        trace("node \(nodes[position].id) starts")
        turn(position)
    }

    private mutating func injectFault() {
        schedule(.fault, in: faultGap)
        let victim = Int(random.next() % UInt64(nodes.count))
        switch random.next() % 6 {
        case 0, 1: crash(victim)
        case 2:
            guard nodes[victim].isUp, !nodes[victim].isPaused else { return }
            count("pauses")
            trace("node \(nodes[victim].id) is stopped")
            nodes[victim].isPaused = true
            schedule(.resume(victim), in: 5_000_000...300_000_000)
        case 3:
            count("cuts")
            let side = random.next()
            for from in nodes.indices {
                for to in nodes.indices where side >> from & 1 != side >> to & 1 { cuts.insert(from * 8 + to) }
            }
            trace("network: split \(side % 32)")
            schedule(.heal, in: 5_000_000...400_000_000)
        case 4:
            count("cuts")
            let other = Int(random.next() % UInt64(nodes.count))
            cuts.insert(victim * 8 + other)
            trace("network: cut \(victim + 1) → \(other + 1)")
            schedule(.heal, in: 5_000_000...400_000_000)
        default:
            guard nodes[victim].isUp, !nodes[victim].isPaused else { return }
            count("transfers")
            try? nodes[victim].core.transferLeadership(to: nil, at: now(victim))
            turn(victim)
        }
    }

    private mutating func crash(_ position: Int) {
        guard nodes[position].isUp else { return }
        count("crashes")
        trace("node \(nodes[position].id) crashes")
        nodes[position].isUp = false
        nodes[position].isPaused = false
        nodes[position].waiting = []
        let guardDies = chance(300)
        if guardDies {
            nodes[position].orphan()
        } else {
            let lease = nodes[position].lastLease
            schedule(
                .released(
                    position, boot: nodes[position].boot, seed: nodes[position].seed, lease,
                    isBorrowed: nodes[position].lastShare.tenure == .borrowed), in: 200_000...3_000_000)
        }
        let longest: UInt64 = chance(500) ? 8_000_000 : 300_000_000
        schedule(.start(position), in: 1_000_000...longest)
    }

    /// The guard of a process that ended has taken everything off, and tells the others.
    private mutating func release(_ position: Int, _ seed: UInt64, _ lease: Lease?, _ isBorrowed: Bool) {
        guard nodes[position].releaseAll(of: seed), let lease else { return }
        let notice = ReleaseNotice(
            node: nodes[position].id, term: lease.term, cause: isBorrowed ? .borrowerGone : .processGone,
            boot: isBorrowed ? seed : 0)
        for other in nodes.indices where other != position && chance(800) {
            schedule(.notice(to: other, about: position, notice), in: 50_000...60_000_000)
        }
    }

    private mutating func resume(_ position: Int) {
        guard nodes[position].isPaused else { return }
        nodes[position].isPaused = false
        let waiting = nodes[position].waiting
        nodes[position].waiting = []
        for event in waiting { schedule(event, at: time) }
        wake(position, at: time + 2)
    }

    private mutating func heal() {
        isFaulty = false
        time = Self.faultyTime
        cuts = []
        for position in nodes.indices {
            if !nodes[position].isUp { start(position) }
            resume(position)
        }
    }

    // MARK: Invariants

    private mutating func checkHolders() {
        for address in addresses {
            let holders = nodes.filter { $0.answers(on: address, at: time) }.map(\.id)
            if holders.count > 1 { violation = "two hold \(address): \(holders)" }
        }
    }

    private mutating func checkBalance() {
        var shares: [Int] = []
        for node in nodes { shares.append(addresses.count { node.answers(on: $0, at: time) }) }
        if shares.reduce(0, +) != addresses.count { violation = "\(addresses.count) addresses are held as \(shares)" }
        if shares.max()! - shares.min()! > 1 { violation = "not balanced: \(shares)" }
    }

    // MARK: Turns

    private mutating func turn(_ position: Int) {
        for _ in 0..<100 {
            act(position)
            let node = nodes[position]
            let changes = nodes[position].turn(at: time)
            if nodes[position].lastShare != node.lastShare { trace("node \(node.id) \(nodes[position].lastShare)") }
            for change in changes {
                nodes[position].proposals += 1
                count("changes of loans")
                trace("node \(node.id) proposes \(change.address) \(change.to)")
                nodes[position].core.propose(
                    ProposalID(node: node.id, boot: node.seed, sequence: nodes[position].proposals),
                    Command.changeLoan(change).encoded(), at: now(position))
            }
            if nodes[position].resigns { nodes[position].core.stepDown(at: now(position)) }
            if !nodes[position].core.hasNews && changes.isEmpty && !nodes[position].resigns { break }
        }
        let deadline = min(nodes[position].core.nextDeadline, nodes[position].deadline)
        wake(position, at: nodes[position].time(of: deadline))
    }

    private mutating func wake(_ position: Int, at when: UInt64) {
        nodes[position].wakes += 1
        schedule(.wake(position, boot: nodes[position].boot, number: nodes[position].wakes), at: when)
    }

    private mutating func act(_ position: Int) {
        while case let ready = nodes[position].core.ready(), !ready.isEmpty {
            if let term = ready.surrenderedLease {
                nodes[position].withdraw(at: time)
                nodes[position].core.leaseWithdrawn(term, at: now(position))
            }
            for envelope in ready.messages { send(envelope, from: position) }
            if let ticket = ready.write {
                nodes[position].diskFreeAt = max(nodes[position].diskFreeAt, time) + draw(100_000...3_000_000)
                schedule(
                    .written(position, boot: nodes[position].boot, ticket), at: nodes[position].diskFreeAt)
            }
            for entry in ready.committed { nodes[position].apply(entry) }
            if let last = ready.committed.last { nodes[position].core.applied(through: last.index, at: now(position)) }
        }
    }

    private mutating func send(_ envelope: Envelope, from sender: Int) {
        let receiver = Int(envelope.to.number) - 1
        guard !cuts.contains(sender * 8 + receiver), !(isFaulty && chance(lost)) else { return }
        let range = isFaulty ? delay : 50_000...200_000
        schedule(.deliver(envelope, from: sender), in: range)
        if isFaulty && chance(20) {
            schedule(.deliver(envelope, from: sender), in: 1_000_000...100_000_000)
        }
    }
}
