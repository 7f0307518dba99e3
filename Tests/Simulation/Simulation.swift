import Posix
import Raft

/// A whole cluster in one thread, from one seed, over the real core: network, disks, clocks, processes and clients
/// are simulated. Two runs of a plan do exactly the same.
package struct Simulation {
    enum Event {
        case deliver(Message, from: NodeID, to: NodeID)
        /// The core's deadline, or a turn that was put off.
        case wake(NodeID, boot: Int, number: Int)
        case written(NodeID, boot: Int)
        case snapshotWritten(NodeID, boot: Int)
        case crash(NodeID, boot: Int, SimulatedDisk.Crash)
        case restart(NodeID)
        /// Another process takes the place of the node's present one.
        case replace(NodeID, boot: Int)
        case resume(NodeID)
        case noticeDeath(of: NodeID, by: NodeID, boot: Int)
        case withdrawLease(Term, NodeID, boot: Int)
        case fault
        case heal
        /// Time for a client's operation.
        case operate
        case propose(ProposalID, RegisterCommand)
        case read(ReadID, at: NodeID, boot: Int)
        case endOfFaults
    }

    /// How a run ended and what it covered.
    package struct Outcome: Sendable {
        package var seed: UInt64
        /// What was violated; nil for a good run.
        package var violation: String?
        /// Equal for equal runs.
        package var fingerprint: UInt64
        package var coverage: Coverage
        /// The last events, when the run was recorded.
        package var transcript: [String]
    }

    let plan: Plan
    var random: SplitMix64
    /// True time, in nanoseconds since the beginning.
    var time: UInt64 = 0
    var queue = EventQueue<Event>()
    var nodes: [SimulatedNode]
    var network: SimulatedNetwork
    var clients: Clients
    var invariants = Invariants()
    var trace: Trace
    var coverage = Coverage()
    var isFaulty = true

    package init(_ plan: Plan, recording: Bool = false) {
        self.plan = plan
        random = SplitMix64(seed: plan.seed ^ 0x5EED)
        let founders = Membership(voters: (1...UInt64(plan.nodes)).map { NodeID($0) })
        nodes = []
        for number in 1...UInt64(plan.nodes) {
            let drift = Int(random.next() % 20_001) - 10_000
            let start = 1_000_000_000 + random.next() % 1_000_000_000
            let clock = SimulatedClock(start: start, driftPartsPerMillion: drift)
            nodes.append(SimulatedNode(id: NodeID(number), clock: clock, founders: founders, plan: plan))
        }
        network = SimulatedNetwork(nodes: plan.nodes)
        clients = Clients(keys: plan.keys)
        trace = Trace(isRecording: recording)
    }

    /// Runs the plan of a seed, and where it fails once more for a transcript.
    package static func outcome(ofSeed seed: UInt64) -> Outcome {
        var simulation = Simulation(Plan(seed: seed))
        let outcome = simulation.run()
        guard outcome.violation != nil else { return outcome }
        var recorded = Simulation(Plan(seed: seed), recording: true)
        return recorded.run()
    }

    /// Runs the whole plan, or until an invariant is violated.
    package mutating func run() -> Outcome {
        for position in nodes.indices { start(position) }
        queue.schedule(.operate, at: draw(plan.operationGap))
        queue.schedule(.fault, at: draw(plan.faultGap))
        queue.schedule(.endOfFaults, at: plan.faultyTime.count)
        let end = plan.faultyTime.count + plan.recovery.count
        while let (time, event) = queue.next(), time <= end, invariants.violation == nil {
            self.time = max(self.time, time)
            coverage[.steps] += 1
            handle(event)
        }
        if invariants.violation == nil { checkConvergence() }
        if invariants.violation == nil { invariants.violation = clients.history.violation() }
        return Outcome(
            seed: plan.seed, violation: invariants.violation, fingerprint: trace.fingerprint, coverage: coverage,
            transcript: trace.lines)
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .deliver(let message, let sender, let receiver): deliver(message, from: sender, to: receiver)
        case .wake(let node, let boot, let number): wake(node.position, boot: boot, number: number)
        case .written(let node, let boot): finishWrite(node.position, boot: boot)
        case .snapshotWritten(let node, let boot): finishSnapshot(node.position, boot: boot)
        case .crash(let node, let boot, let how): if nodes[node.position].boot == boot { crash(node.position, how) }
        case .restart(let node): if !nodes[node.position].isUp && !nodes[node.position].isLost { start(node.position) }
        case .replace(let node, let boot): replaceProcess(node.position, boot: boot)
        case .resume(let node): resume(node.position)
        case .noticeDeath(let dead, let node, let boot): noticeDeath(of: dead, at: node.position, boot: boot)
        case .withdrawLease(let term, let node, let boot): withdrawLease(of: term, at: node.position, boot: boot)
        case .fault: if isFaulty { injectFault() }
        case .heal: network.heal()
        case .operate: operate()
        case .propose(let id, let command): propose(id, command, at: id.node.position)
        case .read(let id, let node, let boot): read(id, at: node.position, boot: boot)
        case .endOfFaults: endFaults()
        }
    }

    mutating func draw(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + random.next() % (range.upperBound - range.lowerBound + 1)
    }

    mutating func chance(_ thousandths: Int) -> Bool { random.next() % 1000 < UInt64(thousandths) }

    mutating func pickNode() -> Int { Int(random.next() % UInt64(nodes.count)) }
}

extension NodeID {
    /// Where a simulated node stands among the others.
    var position: Int { Int(number) - 1 }
}
