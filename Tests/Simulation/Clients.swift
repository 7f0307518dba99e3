import Posix
import Raft

/// Operations under way and done.
struct Clients {
    struct PendingWrite {
        var command: RegisterCommand
        var begin: UInt64
    }

    struct PendingRead {
        var key: Int
        var begin: UInt64
    }

    let keys: Int
    var writes: [ProposalID: PendingWrite] = [:]
    var reads: [ReadID: PendingRead] = [:]
    /// Failed for a reason that says that they never will be applied.
    var refused: Set<ProposalID> = []
    var history = RegisterHistory()
    var issued: UInt64 = 0

    init(keys: Int) { self.keys = keys }

    mutating func endWrite(_ id: ProposalID, at end: UInt64) -> Bool {
        guard let write = writes.removeValue(forKey: id) else { return false }
        let command = write.command
        history.add(.init(.write, key: command.key, value: command.value, begin: write.begin, end: end))
        return true
    }

    /// The outcome of everything that still waits at a node, or anywhere, will not be known.
    mutating func giveUp(at node: NodeID?) {
        for id in writes.keys.filter({ node == nil || $0.node == node }) { _ = endWrite(id, at: .max) }
        if node == nil { reads = [:] }
    }
}

/// Clients write and read at any node.
extension Simulation {
    mutating func operate() {
        let end = plan.faultyTime.count + plan.recovery.count
        let gap = draw(isFaulty ? plan.operationGap : Plan.calmOperationGap)
        if time + plan.quietTime < end { queue.schedule(.operate, at: time + gap) }
        let position = pickNode()
        guard nodes[position].isUp else { return }
        clients.issued += 1
        let boot = nodes[position].boot
        let key = Int(random.next() % UInt64(plan.keys))
        if chance(500) {
            let id = ProposalID(node: nodes[position].id, boot: UInt64(boot), sequence: clients.issued)
            let padding = chance(plan.padded) ? Plan.padding : 0
            let command = RegisterCommand(key: key, value: clients.issued, padding: padding)
            clients.writes[id] = Clients.PendingWrite(command: command, begin: time)
            propose(id, command, at: position)
        } else {
            let id = ReadID(boot: UInt64(boot), sequence: clients.issued)
            clients.reads[id] = Clients.PendingRead(key: key, begin: time)
            read(id, at: position, boot: boot)
        }
    }

    mutating func propose(_ id: ProposalID, _ command: RegisterCommand, at position: Int) {
        guard nodes[position].isUp, UInt64(nodes[position].boot) == id.boot else { return }
        guard !nodes[position].isPaused else { return nodes[position].waiting.append(.propose(id, command)) }
        trace.line(at: time, "\(nodes[position].id) proposes r\(command.key) = \(command.value)")
        nodes[position].core.propose(id, command.encoded, at: now(position))
        turn(position)
    }

    mutating func read(_ id: ReadID, at position: Int, boot: Int) {
        guard nodes[position].isUp, nodes[position].boot == boot else { return }
        guard !nodes[position].isPaused else {
            return nodes[position].waiting.append(.read(id, at: nodes[position].id, boot: boot))
        }
        trace.line(at: time, "\(nodes[position].id) asks to read \(id)")
        nodes[position].core.read(id, at: now(position))
        turn(position)
    }

    /// A command was applied; its client is answered when that was at the node that proposed it.
    mutating func finishWrite(_ id: ProposalID, at position: Int) {
        if clients.refused.contains(id) { invariants.fail("\(id) was refused, and applied all the same") }
        guard id.node == nodes[position].id, id.boot == UInt64(nodes[position].boot) else { return }
        if clients.endWrite(id, at: time) { coverage[.writes] += 1 }
    }

    mutating func answerClients(_ ready: Ready, at position: Int) {
        for served in ready.servedReads {
            guard let read = clients.reads.removeValue(forKey: served.id) else { continue }
            let value = nodes[position].machine.registers[read.key]
            trace.line(at: time, "\(nodes[position].id) reads r\(read.key) = \(value) (\(served.id))")
            clients.history.add(.init(.read, key: read.key, value: value, begin: read.begin, end: time))
            coverage[.reads] += 1
        }
        for failed in ready.failedReads { clients.reads[failed.id] = nil }
        for failed in ready.failedProposals {
            switch failed.reason {
            case .superseded: _ = clients.endWrite(failed.id, at: .max)
            case .notLeader, .overloaded, .tooLarge, .handingOver:
                clients.writes[failed.id] = nil
                clients.refused.insert(failed.id)
            }
        }
    }
}
