import Posix
import Raft

/// The host around each core: does what `Ready` says, in its order.
extension Simulation {
    mutating func start(_ position: Int) {
        let id = nodes[position].id
        let isInterrupted = isFaulty && chance(plan.crashesAtStarts)
        let start = nodes[position].disk.start(
            founding: nodes[position].founders, interrupted: isInterrupted, &random)
        switch start {
        case .started(let recovered):
            coverage[.starts] += 1
            trace.line(at: time, "\(id) starts")
            let isContinued = nodes[position].isBeingReplaced
            nodes[position].start(recovered, seed: random.next(), at: time)
            let core = nodes[position].core
            if core.role == .leader && isContinued {
                coverage[.continuedTerms] += 1
                invariants.noteSuccession(of: core.term, at: position, boot: nodes[position].boot)
            }
            reconnect(position)
            turn(position)
        case .interrupted:
            nodes[position].isBeingReplaced = false
            nodes[position].continuation = nil
            coverage[.interruptedStarts] += 1
            trace.line(at: time, "\(id) crashes while it starts")
            queue.schedule(.restart(id), at: time + draw(1_000_000...8_000_000))
        case .refused(let error):
            nodes[position].isBeingReplaced = false
            coverage[.refusedStarts] += 1
            trace.line(at: time, "\(id) refuses to start: \(error)")
            nodes[position].isLost = true
        case .wrong(let text):
            invariants.fail("\(id): \(text)")
        }
    }

    private mutating func reconnect(_ position: Int) {
        for other in nodes.indices where other != position {
            let delay = draw(isFaulty ? plan.reconnect : Plan.healthyReconnect)
            network.reconnect(position, other, at: time + delay)
        }
    }

    mutating func deliver(_ message: Message, from sender: NodeID, to receiver: NodeID) {
        let position = receiver.position
        guard nodes[position].isUp else { return }
        guard !nodes[position].isPaused else {
            nodes[position].waiting.append(.deliver(message, from: sender, to: receiver))
            return
        }
        trace.line(at: time, "\(sender) → \(receiver)  \(message.brief)")
        nodes[position].core.step(message, from: sender, at: now(position))
        turn(position)
    }

    mutating func wake(_ position: Int, boot: Int, number: Int) {
        guard nodes[position].boot == boot, nodes[position].wakeNumber == number else { return }
        guard nodes[position].isRunning else { return }
        nodes[position].core.tick(at: now(position))
        turn(position, mayWait: false)
    }

    mutating func finishWrite(_ position: Int, boot: Int) {
        guard nodes[position].isUp, nodes[position].boot == boot else { return }
        guard !nodes[position].isPaused else {
            nodes[position].waiting.append(.written(nodes[position].id, boot: boot))
            return
        }
        guard !nodes[position].hasFailed else { return }
        let limit = chance(plan.grouped) ? Int.max : 1
        do throws(StorageError) {
            switch try nodes[position].disk.finish(upTo: limit) {
            case .nothing: break
            case .snapshotBegun:
                let range = plan.write.lowerBound...4 * plan.write.upperBound
                let done = time + draw(isFaulty ? range : Plan.healthyWrite)
                queue.schedule(.snapshotWritten(nodes[position].id, boot: boot), at: done)
            case .written(let ticket):
                trace.line(at: time, "\(nodes[position].id) wrote ticket \(ticket.number)")
                nodes[position].core.persisted(ticket, at: now(position))
                turn(position)
            }
        } catch {
            failDisk(position, error)
        }
    }

    mutating func finishSnapshot(_ position: Int, boot: Int) {
        guard nodes[position].isUp, nodes[position].boot == boot else { return }
        guard !nodes[position].isPaused else {
            nodes[position].waiting.append(.snapshotWritten(nodes[position].id, boot: boot))
            return
        }
        guard !nodes[position].hasFailed else { return }
        do throws(StorageError) {
            guard let snapshot = try nodes[position].disk.finishSnapshot() else { return }
            coverage[.snapshotsTaken] += 1
            nodes[position].snapshotUnderWay = false
            trace.line(at: time, "\(nodes[position].id) wrote its snapshot \(snapshot.position)")
            nodes[position].core.snapshotTaken(snapshot, at: now(position))
            scheduleWritten(position)
            turn(position)
        } catch {
            failDisk(position, error)
        }
    }

    /// Nothing is written any more; the node gives up leadership where it can, and ends.
    mutating func failDisk(_ position: Int, _ error: StorageError) {
        coverage[.failedWrites] += 1
        let (id, boot) = (nodes[position].id, nodes[position].boot)
        trace.line(at: time, "\(id) stops: \(error)")
        nodes[position].hasFailed = true
        nodes[position].core.stepDown(at: now(position))
        turn(position)
        queue.schedule(.crash(id, boot: boot, .process), at: time + draw(1000...plan.timing.electionMinimum.count))
    }

    mutating func noticeDeath(of dead: NodeID, at position: Int, boot: Int) {
        guard nodes[position].isRunning, nodes[position].boot == boot else { return }
        trace.line(at: time, "\(nodes[position].id) takes the process of \(dead) for gone")
        nodes[position].core.leaderProcessGone(dead, at: now(position))
        turn(position)
    }

    mutating func withdrawLease(of term: Term, at position: Int, boot: Int) {
        guard nodes[position].isRunning, nodes[position].boot == boot else { return }
        if nodes[position].core.role == .leader { coverage[.transfers] += 1 }
        nodes[position].core.leaseWithdrawn(term, at: now(position))
        turn(position)
    }

    func now(_ position: Int) -> Instant { nodes[position].clock.instant(at: time) }

    /// Ends the handling of an event, or leaves that to a later event of the same node.
    mutating func turn(_ position: Int, mayWait: Bool = true) {
        if mayWait && chance(plan.batched) {
            scheduleWake(position, at: time + 200_000)
        } else {
            act(position)
            scheduleWake(position, at: nodes[position].clock.time(of: nodes[position].core.nextDeadline))
        }
        noteState(position)
        invariants.check(position, of: nodes, at: time)
    }

    mutating func scheduleWake(_ position: Int, at wanted: UInt64) {
        nodes[position].wakeNumber += 1
        guard wanted < .max else { return }
        let wake = Event.wake(nodes[position].id, boot: nodes[position].boot, number: nodes[position].wakeNumber)
        queue.schedule(wake, at: max(wanted, time + 1000))
    }

    mutating func act(_ position: Int) {
        while case let ready = nodes[position].core.ready(), !ready.isEmpty { act(on: ready, at: position) }
    }

    private mutating func act(on ready: Ready, at position: Int) {
        let id = nodes[position].id
        if let term = ready.surrenderedLease {
            let event = Event.withdrawLease(term, id, boot: nodes[position].boot)
            queue.schedule(event, at: time + draw(1000...4_000_000))
        }
        for envelope in ready.messages {
            invariants.checkPromise(envelope, by: nodes[position])
            send(envelope.message, from: id, to: envelope.to)
        }
        if let ticket = ready.write {
            write(.write(ticket), at: position)
            if isFaulty && ticket.hardState != nil && chance(plan.crashesAtVotes) {
                queue.schedule(.crash(id, boot: nodes[position].boot, .power), at: time + draw(plan.write))
            }
        }
        if let snapshot = ready.restore {
            coverage[.snapshotsInstalled] += 1
            trace.line(at: time, "\(id) installs \(snapshot.position)")
            nodes[position].machine = RegisterMachine(decoding: snapshot.state)
            nodes[position].core.applied(through: snapshot.index, at: now(position))
        }
        apply(ready.committed, at: position)
        answerClients(ready, at: position)
        takeSnapshot(position)
    }

    private mutating func apply(_ entries: [Entry], at position: Int) {
        for entry in entries {
            invariants.noteApplied(entry, by: nodes[position])
            guard case .command(let proposal, let bytes) = entry.payload else { continue }
            nodes[position].machine.apply(RegisterCommand(decoding: bytes))
            finishWrite(proposal, at: position)
        }
        guard let last = entries.last else { return }
        nodes[position].core.applied(through: last.index, at: now(position))
    }

    private mutating func takeSnapshot(_ position: Int) {
        let applied = nodes[position].core.applied
        let due = nodes[position].snapshotIndex.number + plan.snapshotEvery
        guard !nodes[position].snapshotUnderWay, applied.number >= due else { return }
        nodes[position].snapshotUnderWay = true
        nodes[position].snapshotIndex = applied
        write(.snapshot(nodes[position].core.snapshot(ofAppliedState: nodes[position].machine.encoded)), at: position)
    }

    private mutating func write(_ job: SimulatedDisk.Job, at position: Int) {
        guard !nodes[position].hasFailed else { return }
        nodes[position].disk.queue(job)
        scheduleWritten(position)
    }

    /// When the newest job of the disk will be done.
    private mutating func scheduleWritten(_ position: Int) {
        let mayStall = isFaulty && nodes[position].diskFreeAt < time + plan.stall.upperBound
        let isStalled = mayStall && chance(plan.stalledWrites)
        let duration = isStalled ? plan.stall : isFaulty ? plan.write : Plan.healthyWrite
        // Beyond so many, writes share one synchronisation, as the disk thread groups them.
        let isGrouped = nodes[position].disk.pending.count >= Plan.writesUnderWay
        let done = max(time, nodes[position].diskFreeAt) + (isGrouped ? 0 : draw(duration))
        nodes[position].diskFreeAt = done
        queue.schedule(.written(nodes[position].id, boot: nodes[position].boot), at: done)
    }

    private mutating func send(_ message: Message, from sender: NodeID, to receiver: NodeID) {
        guard receiver.position < nodes.count, network.delivers(from: sender, to: receiver, at: time)
        else { return }
        if isFaulty && chance(plan.lost) { return }
        // TCP doubles nothing, and every message but this one may safely come twice.
        var isProposal = false
        if case .proposal = message { isProposal = true }
        let copies = isFaulty && !isProposal && chance(plan.doubled) ? 2 : 1
        for _ in 0..<copies {
            let isLate = isFaulty && chance(plan.delayed)
            let delay = draw(isLate ? plan.longDelay : plan.delay)
            queue.schedule(.deliver(message, from: sender, to: receiver), at: time + delay)
        }
    }

    private mutating func noteState(_ position: Int) {
        let core = nodes[position].core
        trace.note(
            time, UInt64(position), core.term.number, core.commit.number, core.last.index.number,
            core.applied.number, core.role == .leader ? 1 : 0)
    }
}
