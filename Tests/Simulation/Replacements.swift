import Posix
import Raft

/// One process takes the place of another, as in an upgrade.
extension Simulation {
    mutating func prepareReplacement(of position: Int) {
        guard nodes[position].isRunning else { return }
        trace.line(at: time, "\(nodes[position].id) prepares to be replaced")
        nodes[position].core.prepareToPause(at: now(position))
        turn(position)
        queue.schedule(
            .replace(nodes[position].id, boot: nodes[position].boot), at: time + draw(500_000...30_000_000))
    }

    mutating func replaceProcess(_ position: Int, boot: Int) {
        let node = nodes[position]
        guard node.boot == boot, node.isRunning, !node.hasFailed, !node.snapshotUnderWay else { return }
        act(position)
        do throws(StorageError) { try finishWrites(position) } catch { return failDisk(position, error) }
        guard let continuation = node.core.continuation else { return turn(position) }
        coverage[.replacements] += 1
        trace.line(at: time, "\(node.id) makes room for another process")
        node.lease = node.core.lease
        node.continuation = continuation
        node.isBeingReplaced = true
        node.isUp = false
        node.disk.crash(.process, &random)
        clients.giveUp(at: node.id)
        invariants.noteCrash(position)
        let gap = draw(1_000_000...(chance(800) ? 20_000_000 : 2 * plan.timing.pause.count))
        queue.schedule(.restart(node.id), at: time + gap)
    }

    private mutating func finishWrites(_ position: Int) throws(StorageError) {
        while !nodes[position].disk.pending.isEmpty {
            switch try nodes[position].disk.finish(upTo: .max) {
            case .nothing: break
            case .snapshotBegun: _ = try nodes[position].disk.finishSnapshot()
            case .written(let ticket): nodes[position].core.persisted(ticket, at: now(position))
            }
        }
    }
}
