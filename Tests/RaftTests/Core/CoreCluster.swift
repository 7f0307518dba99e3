import Posix
import Raft

/// A few cores that a test leads by the hand: messages arrive at once unless the test holds them, disks are done at
/// once unless stalled, and time passes only by `run`.
struct CoreCluster {
    struct Node {
        var core: Raft
        var tickets: [WriteTicket] = []
        var diskIsStalled = false
        /// The driver's watch over the disk.
        var writes = OutstandingWrites(limit: Timing.lan.diskStall)
        var isStopped = false
        var applied: [Entry] = []
        var served: [ServedRead] = []
        var failedReads: [FailedRead] = []
        var failedProposals: [FailedProposal] = []
        var restored: [Snapshot] = []
    }

    struct Sent {
        var from: NodeID
        var to: NodeID
        var message: Message
    }

    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    var nodes: [NodeID: Node] = [:]
    /// Messages that it picks do not arrive; they are kept in `held`.
    var holds: (Sent) -> Bool = { _ in false }
    private(set) var held: [Sent] = []
    /// Everything that was sent, held or not.
    private(set) var sent: [Sent] = []
    private var sequence: UInt64 = 0

    static let ids: [NodeID] = [NodeID(1), NodeID(2), NodeID(3)]

    init(
        _ ids: [NodeID] = CoreCluster.ids, voters: [NodeID]? = nil, limits: Limits = Limits(),
        recovered: [NodeID: RecoveredState] = [:]
    ) {
        for id in ids {
            let founding = RecoveredState(foundingMembership: Membership(voters: voters ?? ids))
            add(id, recovered: recovered[id] ?? founding, limits: limits)
        }
    }

    mutating func add(
        _ id: NodeID, recovered: RecoveredState, continuing: Continuation? = nil, limits: Limits = Limits()
    ) {
        // Commits are told at once, for time passes only by `run`.
        var timing = Timing.lan
        timing.commitNotice = .zero
        let settings = Settings(id: id, timing: timing, limits: limits, seed: id.number * 77 + sequence)
        nodes[id] = Node(core: Raft(settings, recovered: recovered, continuing: continuing, at: now))
    }

    subscript(_ number: UInt64) -> Raft {
        get { nodes[NodeID(number)]!.core }
        set { nodes[NodeID(number)]!.core = newValue }
    }

    /// The running leader of the newest term.
    var leader: NodeID? {
        let leaders = nodes.values.filter { $0.core.role == .leader && !$0.isStopped }
        return leaders.max { $0.core.term < $1.core.term }?.core.id
    }

    /// Lets time pass in steps of a millisecond; only for `ticking`, when given.
    mutating func run(_ time: Nanoseconds, ticking: Set<NodeID>? = nil) {
        for _ in 0..<(time.count / 1_000_000) {
            now = now + .milliseconds(1)
            for id in nodes.keys.sorted() where !nodes[id]!.isStopped && ticking?.contains(id) != false {
                if now >= nodes[id]!.core.nextDeadline { nodes[id]!.core.tick(at: now) }
                if nodes[id]!.writes.noticeStall(at: now) != nil { nodes[id]!.core.stepDown(at: now) }
            }
            settle()
        }
    }

    /// Makes `number` a leader whose lease holds and whose log is committed: only its clock runs.
    mutating func elect(_ number: UInt64) {
        for _ in 0..<500 where !isEstablished(number) { run(.milliseconds(1), ticking: [NodeID(number)]) }
    }

    /// Runs until some leader is established, a second at the most.
    mutating func electAny() -> NodeID? {
        for _ in 0..<1000 {
            if let leader, isEstablished(leader.number) { return leader }
            run(.milliseconds(1))
        }
        return nil
    }

    private func isEstablished(_ number: UInt64) -> Bool {
        self[number].lease?.isHeld(at: now) == true && self[number].commit == self[number].last.index
    }

    /// Delivers and writes until nothing is left to do.
    mutating func settle() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for id in nodes.keys.sorted() where !nodes[id]!.isStopped {
                let ready = nodes[id]!.core.ready()
                guard !ready.isEmpty else { continue }
                isBusy = true
                act(on: ready, at: id)
            }
        }
    }

    mutating func deliver(_ message: Message, from sender: UInt64, to receiver: UInt64) {
        nodes[NodeID(receiver)]!.core.step(message, from: NodeID(sender), at: now)
    }

    /// Lets the messages go that were held back.
    mutating func release() {
        let messages = held
        held = []
        holds = { _ in false }
        for sent in messages { nodes[sent.to]?.core.step(sent.message, from: sent.from, at: now) }
        settle()
    }

    mutating func forgetSent() { sent = [] }

    mutating func unstallDisk(of number: UInt64) {
        let id = NodeID(number)
        nodes[id]!.diskIsStalled = false
        let tickets = nodes[id]!.tickets
        nodes[id]!.tickets = []
        for ticket in tickets {
            nodes[id]!.writes.finished(through: ticket.id)
            nodes[id]!.core.persisted(ticket.id, at: now)
        }
        settle()
    }

    @discardableResult
    mutating func propose(_ bytes: [UInt8] = [1], at number: UInt64) -> ProposalID {
        sequence += 1
        let id = ProposalID(node: NodeID(number), boot: 1, sequence: sequence)
        nodes[NodeID(number)]!.core.propose(id, bytes, at: now)
        settle()
        return id
    }

    mutating func read(at number: UInt64) -> ReadID {
        sequence += 1
        let id = ReadID(boot: 1, sequence: sequence)
        nodes[NodeID(number)]!.core.read(id, at: now)
        settle()
        return id
    }

    func hasApplied(_ id: ProposalID, at number: UInt64) -> Bool {
        nodes[NodeID(number)]!.applied.contains { $0.proposal == id }
    }

    func hasServed(_ id: ReadID, at number: UInt64) -> Bool { nodes[NodeID(number)]!.served.contains { $0.id == id } }

    /// Cuts a node off in both directions.
    mutating func isolate(_ number: UInt64) {
        holds = { $0.from == NodeID(number) || $0.to == NodeID(number) }
    }

    private mutating func act(on ready: Ready, at id: NodeID) {
        for envelope in ready.messages {
            let message = Sent(from: id, to: envelope.to, message: envelope.message)
            sent.append(message)
            if holds(message) {
                held.append(message)
            } else if nodes[envelope.to]?.isStopped == false {
                nodes[envelope.to]!.core.step(envelope.message, from: id, at: now)
            }
        }
        if let ticket = ready.write {
            if nodes[id]!.diskIsStalled {
                nodes[id]!.tickets.append(ticket)
                nodes[id]!.writes.add(ticket.id, at: now)
            } else {
                nodes[id]!.core.persisted(ticket.id, at: now)
            }
        }
        if let snapshot = ready.restore {
            nodes[id]!.restored.append(snapshot)
            nodes[id]!.core.applied(through: snapshot.index, at: now)
        }
        nodes[id]!.applied += ready.committed
        if let last = ready.committed.last { nodes[id]!.core.applied(through: last.index, at: now) }
        nodes[id]!.served += ready.servedReads
        nodes[id]!.failedReads += ready.failedReads
        nodes[id]!.failedProposals += ready.failedProposals
        if let term = ready.surrenderedLease { nodes[id]!.core.leaseWithdrawn(term, at: now) }
    }
}

extension Entry {
    var proposal: ProposalID? {
        if case .command(let id, _) = payload { id } else { nil }
    }
}
