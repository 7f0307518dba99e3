import Gateway
import Posix
import Raft

/// A cluster that spreads addresses, in one thread and from one seed: the real core, the real decisions and the real
/// keeper of addresses, over a simulated network, disks, clocks, guards and kernel gates. Nodes crash, are stopped, cut
/// off, replaced by another process, added and removed, and write snapshots.
package struct SpreadSimulation {
    static let timing: Timing = {
        var timing = Timing.lan
        timing.pause = .milliseconds(160)
        return timing
    }()
    /// So little of the log is kept that who was away needs a snapshot.
    static let limits: Limits = {
        var limits = Limits()
        limits.retainedEntries = 2
        return limits
    }()
    static let calm = Nanoseconds.milliseconds(100)
    static let faultyTime: UInt64 = 1_500_000_000
    static let recovery: UInt64 = 5_000_000_000
    /// Applied entries between two snapshots of a node.
    private static let snapshotEvery: UInt64 = 12

    enum Event {
        case deliver(Envelope, from: Int, sentAt: UInt64)
        case wake(Int, boot: Int, number: Int)
        case written(Int, boot: Int, WriteTicket)
        case released(Int, seed: UInt64, Lease?, isBorrowed: Bool)
        case notice(to: Int, about: Int, Notice)
        case start(Int)
        case resume(Int)
        case unjam(Int)
        case enable(Int)
        case replace(Int, boot: Int)
        case succeed(Int, boot: Int, Continuation?)
        case fault
        case heal
    }

    /// What the guard of a process that is gone tells the others.
    enum Notice {
        case leader(Term)
        case borrower(boot: UInt64)
    }

    let seed: UInt64
    let addresses: [IPAddress]
    var random: SplitMix64
    var time: UInt64 = 0
    var sequence: UInt64 = 0
    var queue: [(at: UInt64, number: UInt64, event: Event)] = []
    var nodes: [SpreadNode]
    /// Those from here on begin without being members.
    let founders: Int
    var cuts: Set<Int> = []
    var isFaulty = true
    /// What entries and snapshots mean, by the number that is all of their bytes.
    private var changes: [LoanChange] = []
    private var states: [Loans] = []
    private let lost: Int
    private let delay: ClosedRange<UInt64>
    let faultGap: ClosedRange<UInt64>
    package private(set) var violation: String?
    package private(set) var counts: [String: Int] = [:]
    package private(set) var transcript: [String] = []

    package init(seed: UInt64) {
        self.seed = seed
        var random = SplitMix64(seed: seed)
        let size = [3, 3, 5][Int(random.next() % 3)]
        founders = size
        let addresses = (0..<(2 + random.next() % 4)).map { IPAddress(v4: 0x0a00_0064 + UInt32($0)) }
        self.addresses = addresses
        lost = [0, 0, 10, 100][Int(random.next() % 4)]
        delay = 50_000...[200_000, 1_000_000, 4_000_000][Int(random.next() % 3)]
        faultGap = 1_000_000...[40_000_000, 150_000_000, 400_000_000][Int(random.next() % 3)]
        let membership = Membership(voters: (1...UInt64(size)).map { NodeID($0) })
        nodes = (0..<size + 2).map { position in
            let rate = 990_000 + random.next() % 20_001
            return SpreadNode(
                NodeID(UInt64(position) + 1), position < size ? membership : Membership(voters: []), addresses,
                start: 1 << 32 + random.next() % 1_000_000, rate)
        }
        self.random = random
    }

    /// Nil for a good run. Without recovery only what is never allowed is looked for, in a quarter of the time.
    package mutating func run(recovers: Bool = true) -> String? {
        let end = Self.faultyTime + (recovers ? Self.recovery : 0)
        for position in nodes.indices { start(position) }
        schedule(.fault, in: faultGap)
        while violation == nil, let next = queue.popLast(), next.at <= end {
            if isFaulty && next.at > Self.faultyTime { heal() }
            time = max(time, next.at)
            handle(next.event)
            checkHolders()
        }
        if violation == nil && recovers { checkBalance() }
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

    mutating func draw(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + random.next() % (range.upperBound - range.lowerBound + 1)
    }

    mutating func chance(_ thousandths: Int) -> Bool { random.next() % 1000 < UInt64(thousandths) }

    private mutating func handle(_ event: Event) {
        switch event {
        case .deliver(let envelope, let sender, let sentAt):
            let receiver = Int(envelope.to.number) - 1
            guard isRunning(receiver, or: event) else { return }
            nodes[receiver].core.step(envelope.message, from: nodes[sender].id, at: now(receiver))
            noteInability(of: sender, at: receiver, envelope.message, sentAt)
            turn(receiver)
        case .wake(let position, let boot, let number):
            let node = nodes[position]
            guard node.boot == boot, node.wakes == number, node.process == .runs else { return }
            nodes[position].core.tick(at: now(position))
            turn(position)
        case .written(let position, let boot, let ticket):
            guard nodes[position].boot == boot, isRunning(position, or: event) else { return }
            nodes[position].keep(ticket)
            nodes[position].core.persisted(ticket.id, at: now(position))
            turn(position)
        case .released(let position, let seed, let lease, let isBorrowed):
            release(position, seed, lease, isBorrowed)
        case .notice(let position, let about, let notice):
            guard isRunning(position, or: event) else { return }
            switch notice {
            case .borrower(let boot): nodes[position].core.borrowerGone(nodes[about].id, boot: boot, at: now(position))
            case .leader(let term):
                nodes[position].core.leaderReleased(term, by: nodes[about].id, processGone: true, at: now(position))
            }
            turn(position)
        case .start(let position): if nodes[position].process == .none { start(position) }
        case .resume(let position): resume(position)
        case .unjam(let position): nodes[position].jam(false)
        case .enable(let position): enable(position)
        case .replace(let position, let boot):
            guard nodes[position].boot == boot, isRunning(position, or: event) else { return }
            replace(position)
        case .succeed(let position, let boot, let continuation): succeed(position, boot, continuation)
        case .fault: if isFaulty { injectFault() }
        case .heal: cuts = []
        }
    }

    private mutating func isRunning(_ position: Int, or event: Event) -> Bool {
        if nodes[position].process == .stopped { nodes[position].waiting.append(event) }
        return nodes[position].process == .runs
    }

    func now(_ position: Int) -> Instant { nodes[position].now(at: time) }

    // MARK: Invariants

    private mutating func checkHolders() {
        for address in addresses {
            let holders = nodes.filter { $0.answers(on: address, at: time) }.map(\.id)
            if holders.count > 1 { violation = "two hold \(address): \(holders)" }
        }
    }

    /// The answer to a heartbeat says whether a node would hold addresses.
    private mutating func noteInability(of sender: Int, at leader: Int, _ message: Message, _ sentAt: UInt64) {
        guard case .heartbeatReply(let reply) = message, reply.term == nodes[leader].core.term,
            let since = nodes[sender].unableSince, sentAt >= since
        else { return }
        nodes[leader].unable[nodes[sender].id] = reply.term
    }

    private mutating func checkAbility(_ change: LoanChange, by leader: Int) {
        guard case .lent(let node) = change.to, nodes[leader].unable[node] == change.term else { return }
        violation = "\(change.address) is lent to node \(node), which said that it can hold nothing"
    }

    private mutating func checkBalance() {
        guard
            let leader = nodes.first(where: {
                $0.process == .runs && $0.core.lease?.isHeld(at: $0.now(at: time)) == true
            })
        else { return violation = "nobody leads in the end" }
        let members = leader.core.status.committedMembership.voters
        var shares: [Int] = []
        for node in nodes where members.contains(node.id) {
            shares.append(addresses.count { node.answers(on: $0, at: time) })
        }
        if shares.reduce(0, +) != addresses.count { violation = "\(addresses.count) addresses are held as \(shares)" }
        if shares.max()! - shares.min()! > 1 { violation = "not balanced: \(shares)" }
        if leader.loans.all.values.contains(where: \.isLong) { violation = "a loan stays long: \(leader.loans.all)" }
    }

    // MARK: Turns

    mutating func turn(_ position: Int) {
        for _ in 0..<100 {
            act(position)
            let node = nodes[position]
            let changes = nodes[position].turn(at: time)
            if nodes[position].lastShare != node.lastShare { trace("node \(node.id) \(nodes[position].lastShare)") }
            for change in changes {
                nodes[position].proposals += 1
                count("changes of loans")
                trace("node \(node.id) proposes \(change.address) \(change.to)")
                checkAbility(change, by: position)
                self.changes.append(change)
                nodes[position].core.propose(
                    ProposalID(node: node.id, boot: UInt64(node.boot), sequence: nodes[position].proposals),
                    Self.bytes(of: self.changes.count - 1), at: now(position))
            }
            if nodes[position].resigns { nodes[position].core.stepDown(at: now(position)) }
            if !nodes[position].core.hasNews && changes.isEmpty && !nodes[position].resigns { break }
        }
        let deadline = min(nodes[position].core.nextDeadline, nodes[position].deadline)
        wake(position, at: nodes[position].time(of: deadline))
    }

    mutating func wake(_ position: Int, at when: UInt64) {
        nodes[position].wakes += 1
        schedule(.wake(position, boot: nodes[position].boot, number: nodes[position].wakes), at: when)
    }

    private mutating func act(_ position: Int) {
        while case let ready = nodes[position].core.ready(), !ready.isEmpty {
            if let term = ready.surrenderedLease { nodes[position].surrender(term, at: time) }
            for envelope in ready.messages { send(envelope, from: position) }
            if let ticket = ready.write {
                nodes[position].diskFreeAt = max(nodes[position].diskFreeAt, time) + draw(100_000...3_000_000)
                schedule(
                    .written(position, boot: nodes[position].boot, ticket), at: nodes[position].diskFreeAt)
            }
            if let snapshot = ready.restore {
                count("snapshots installed")
                nodes[position].restore(states[Self.number(of: snapshot.state)])
                nodes[position].core.applied(through: snapshot.index, at: now(position))
            }
            for entry in ready.committed {
                guard case .command(_, let bytes) = entry.payload else { continue }
                nodes[position].apply(changes[Self.number(of: bytes)], appendedIn: entry.term)
            }
            if let last = ready.committed.last { nodes[position].core.applied(through: last.index, at: now(position)) }
        }
        writeSnapshot(position)
    }

    /// At once, and only of what is durable anyhow.
    private mutating func writeSnapshot(_ position: Int) {
        let (core, durable) = (nodes[position].core, nodes[position].durable)
        guard core.applied.number >= core.snapshotIndex.number + Self.snapshotEvery,
            durable.entries.contains(where: { $0.index == core.applied })
        else { return }
        count("snapshots")
        states.append(nodes[position].loans)
        let snapshot = core.snapshot(ofAppliedState: Self.bytes(of: states.count - 1))
        nodes[position].keep(snapshot, at: time)
    }

    /// What a process knows before its log.
    func known(_ position: Int) -> Loans {
        nodes[position].durable.snapshot.map { states[Self.number(of: $0.state)] } ?? Loans()
    }

    private static func bytes(of number: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    private static func number(of bytes: [UInt8]) -> Int { bytes.reversed().reduce(0) { $0 << 8 | Int($1) } }

    private mutating func send(_ envelope: Envelope, from sender: Int) {
        let receiver = Int(envelope.to.number) - 1
        guard !cuts.contains(sender * 8 + receiver), !(isFaulty && chance(lost)) else { return }
        let range = isFaulty ? delay : 50_000...200_000
        schedule(.deliver(envelope, from: sender, sentAt: time), in: range)
        if isFaulty && chance(20) {
            schedule(.deliver(envelope, from: sender, sentAt: time), in: 1_000_000...100_000_000)
        }
    }
}
