import Posix
import Raft

/// A cluster as a value: it is copied at every fork of the search.
struct ExploredCluster: Hashable {
    enum Event: Hashable {
        /// The oldest message from one node to another.
        case deliver(from: Int, to: Int)
        case lose(from: Int, to: Int)
        /// The oldest write of a node becomes durable.
        case write(Int)
        /// A node's election timeout passes.
        case timeout(Int)
        case propose(Int)
        /// A node loses what is not durable, and starts again.
        case crash(Int)
    }

    private struct Node: Hashable {
        var core: Raft
        var now: Instant
        var hardState = HardState()
        var entries: [Entry] = []
        var pending: [WriteTicket] = []
        var starts: UInt64 = 1

        mutating func finishWrite() -> WriteTicket.ID {
            let ticket = pending.removeFirst()
            if let state = ticket.hardState { hardState = state }
            if let first = ticket.entries.first {
                entries.removeAll { $0.index >= first.index }
                entries += ticket.entries
            }
            return ticket.id
        }
    }

    /// Commits are told at once: their delay would multiply the states and change no message.
    private static let timing = {
        var timing = Timing.lan
        timing.commitNotice = .zero
        return timing
    }()
    private let founders: Membership
    private var nodes: [Node]
    /// By sender and receiver.
    private var links: [[Message]]
    private var budget: Exploration.Budget
    /// Who led which term, and in which of its starts.
    private var leaders: [UInt64: [UInt64]] = [:]
    private var committed: [Entry] = []
    private(set) var violation: String?

    init(nodes count: Int, budget: Exploration.Budget) {
        let founders = Membership(voters: (1...UInt64(count)).map { NodeID($0) })
        self.founders = founders
        self.budget = budget
        nodes = founders.voters.map { id in
            Node(core: Self.core(of: id, starts: 1, RecoveredState(foundingMembership: founders), .zero), now: .zero)
        }
        links = Array(repeating: [], count: count * count)
        for position in nodes.indices { nodes[position].now = .zero + Self.timing.leaseGuard }
    }

    private static func core(of id: NodeID, starts: UInt64, _ recovered: RecoveredState, _ now: Instant) -> Raft {
        Raft(Settings(id: id, timing: timing, seed: id.number * 1000 + starts), recovered: recovered, at: now)
    }

    var possibleEvents: [Event] {
        var events: [Event] = []
        for sender in nodes.indices {
            for receiver in nodes.indices where !links[sender * nodes.count + receiver].isEmpty {
                events.append(.deliver(from: sender, to: receiver))
                if budget.losses > 0 { events.append(.lose(from: sender, to: receiver)) }
            }
        }
        for position in nodes.indices {
            if !nodes[position].pending.isEmpty { events.append(.write(position)) }
            let isLeader = nodes[position].core.role == .leader
            if budget.timeouts > 0 && !isLeader { events.append(.timeout(position)) }
            if budget.proposals > 0 && isLeader { events.append(.propose(position)) }
            if budget.crashes > 0 && !nodes[position].pending.isEmpty { events.append(.crash(position)) }
        }
        return events
    }

    mutating func handle(_ event: Event) {
        switch event {
        case .deliver(let sender, let receiver):
            let message = links[sender * nodes.count + receiver].removeFirst()
            nodes[receiver].core.step(message, from: nodes[sender].core.id, at: nodes[receiver].now)
            turn(receiver)
        case .lose(let sender, let receiver):
            budget.losses -= 1
            links[sender * nodes.count + receiver].removeFirst()
        case .write(let position):
            let ticket = nodes[position].finishWrite()
            nodes[position].core.persisted(ticket, at: nodes[position].now)
            turn(position)
        case .timeout(let position):
            budget.timeouts -= 1
            nodes[position].now = nodes[position].now + Self.timing.electionMaximum
            nodes[position].core.tick(at: nodes[position].now)
            turn(position)
        case .propose(let position):
            budget.proposals -= 1
            let id = ProposalID(node: nodes[position].core.id, boot: 1, sequence: UInt64(budget.proposals))
            nodes[position].core.propose(id, [1], at: nodes[position].now)
            turn(position)
        case .crash(let position):
            budget.crashes -= 1
            restart(position)
        }
    }

    private mutating func restart(_ position: Int) {
        let node = nodes[position]
        let recovered = RecoveredState(
            hardState: node.hardState, entries: node.entries, foundingMembership: founders)
        nodes[position].starts += 1
        nodes[position].pending = []
        nodes[position].core = Self.core(of: node.core.id, starts: node.starts + 1, recovered, node.now)
        // Its own connections are gone with it.
        for other in nodes.indices {
            links[position * nodes.count + other] = []
            links[other * nodes.count + position] = []
        }
        nodes[position].now = node.now + Self.timing.leaseGuard
    }

    private mutating func turn(_ position: Int) {
        while case let ready = nodes[position].core.ready(), !ready.isEmpty {
            for envelope in ready.messages { send(envelope, from: position) }
            if let ticket = ready.write { nodes[position].pending.append(ticket) }
            if let last = ready.committed.last {
                nodes[position].core.applied(through: last.index, at: nodes[position].now)
            }
        }
        // The wait for an old lease is a matter of clocks: here it is over at once.
        if nodes[position].core.role == .leader {
            nodes[position].now = nodes[position].now + Self.timing.leaseGuard
        }
        check(position)
    }

    /// Pre-votes change nothing where they arrive, so when they do does not matter; heartbeats are all lost, and what
    /// they would bring comes with appends. Both keep the search to what can go wrong.
    private mutating func send(_ envelope: Envelope, from sender: Int) {
        let receiver = envelope.to.position
        switch envelope.message {
        case .preVoteRequest, .preVoteReply:
            nodes[receiver].core.step(envelope.message, from: nodes[sender].core.id, at: nodes[receiver].now)
            turn(receiver)
        case .heartbeat, .heartbeatReply:
            break
        case .voteRequest, .voteReply, .appendRequest, .appendReply, .snapshotChunk, .snapshotReply, .newerTerm,
            .leaseReleased, .campaignNow, .leaseWish, .leaseGrant, .proposal, .proposalRefused, .readRequest,
            .readReply:
            links[sender * nodes.count + receiver].append(envelope.message)
        }
    }

    private mutating func check(_ position: Int) {
        let node = nodes[position]
        if node.core.role == .leader {
            let leader = [node.core.id.number, node.starts]
            if leaders[node.core.term.number, default: leader] != leader {
                violation = "two leaders of term \(node.core.term)"
            }
            leaders[node.core.term.number] = leader
        }
        for index in stride(from: UInt64(1), through: node.core.commit.number, by: 1) {
            guard let entry = node.core.entry(at: LogIndex(index)) else { continue }
            if index > committed.count { committed.append(entry) }
            if committed[Int(index) - 1] != entry { violation = "two entries committed at \(index)" }
        }
        let newest = node.core.commit
        if newest > .zero, let entry = node.core.entry(at: newest) {
            let isDurable = founders.hasMajority { nodes[$0.position].entries.contains(entry) }
            if !isDurable { violation = "\(entry.position) is committed, and not durable at a majority" }
        }
    }
}
