import Posix
import Raft

/// What goes wrong, and what operators do.
extension Simulation {
    mutating func injectFault() {
        queue.schedule(.fault, at: time + draw(plan.faultGap))
        let total = plan.weights.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return }
        var ticket = Int(random.next() % UInt64(total))
        for (fault, weight) in plan.weights {
            if ticket < weight { return inject(fault) }
            ticket -= weight
        }
    }

    private mutating func inject(_ fault: Plan.Fault) {
        coverage.note(fault)
        let victim = likelyLeader()
        switch fault {
        case .crash: crash(victim, drawCrash())
        case .pause: pause(victim)
        case .split:
            let side = random.next()
            cut("split \(side % (1 << nodes.count))") { $0.split { side >> $0 & 1 == 1 } }
        case .isolate: cut("isolate \(nodes[victim].id)") { $0.split { $0 == victim } }
        case .cutOneWay:
            let other = pickNode()
            cut("cut \(nodes[victim].id) → \(nodes[other].id)") { $0.cutOneWay(from: victim, to: other) }
        case .bridge: bridge(over: pickNode())
        case .restartVoter: restartVoter(of: victim)
        case .falseEvidence: refuseConnections(to: victim)
        case .transfer: operate(on: victim, "transfers leadership") { try? $0.transferLeadership(to: $1, at: $2) }
        case .stepDown: operate(on: victim, "steps down") { core, _, now in core.stepDown(at: now) }
        case .diskStall: nodes[victim].diskFreeAt = max(nodes[victim].diskFreeAt, time + draw(plan.stall))
        case .diskFailure: if nodes[victim].isUp { nodes[victim].disk.failSoon(&random) }
        case .rot: rot(victim)
        case .changeMembers: changeMembers(at: leaderPosition ?? victim)
        case .replaceProcess: prepareReplacement(of: leaderPosition ?? victim)
        }
    }

    private var leaderPosition: Int? { nodes.firstIndex { $0.isRunning && $0.core.role == .leader } }

    /// Most faults are worth more at the leader.
    private mutating func likelyLeader() -> Int {
        chance(500) ? leaderPosition ?? pickNode() : pickNode()
    }

    private mutating func drawCrash() -> SimulatedDisk.Crash { chance(plan.powerLosses) ? .power : .process }

    mutating func crash(_ position: Int, _ crash: SimulatedDisk.Crash) {
        guard nodes[position].isUp else { return }
        switch crash {
        case .process: coverage[.processCrashes] += 1
        case .power: coverage[.powerLosses] += 1
        }
        nodes[position].disk.crash(crash, &random)
        nodes[position].isUp = false
        clients.giveUp(at: nodes[position].id)
        invariants.noteCrash(position)
        let id = nodes[position].id
        trace.line(at: time, "\(id) crashes (\(crash))")
        queue.schedule(.restart(id), at: time + draw(1_000_000...(chance(500) || !isFaulty ? 8_000_000 : 300_000_000)))
        for witness in nodes where witness.id != id && chance(500) {
            let notice = Event.noticeDeath(of: id, by: witness.id, boot: witness.boot)
            queue.schedule(notice, at: time + draw(200_000...5_000_000))
        }
    }

    /// A leader is cut off from all but one voter, until the others campaign; then that voter restarts, and with it
    /// what it knew of the leader's lease is gone.
    private mutating func restartVoter(of leader: Int) {
        let voter = pickNode()
        guard voter != leader, nodes[voter].isRunning else { return }
        cut("cut \(nodes[leader].id) off from all but \(nodes[voter].id)") { network in
            network.split { $0 == leader }
            network.join(leader, voter)
        }
        let crash = Event.crash(nodes[voter].id, boot: nodes[voter].boot, drawCrash())
        queue.schedule(
            crash, at: time + draw(plan.timing.electionMinimum.count...2 * plan.timing.electionMaximum.count))
    }

    /// A node's process ends, and a bit of its disk is flipped. Never so many nodes that a majority might be lost.
    private mutating func rot(_ position: Int) {
        let members = nodes[position].core.membership
        let mayBeLost = members.hasMajority { $0.position != position && !nodes[$0.position].disk.isRotten }
        // Also on the disks: a node may fall back to a change that its log no longer holds in memory.
        let isSettled =
            !members.isJoint
            && nodes.allSatisfy { node in
                node.core.membership == members
                    && node.disk.possibleMemberships.allSatisfy { $0 ?? node.founders == members }
            }
        guard mayBeLost, isSettled, members.joining.isEmpty else { return }
        crash(position, drawCrash())
        nodes[position].disk.rot(&random)
        coverage[.flippedBits] += 1
        trace.line(at: time, "\(nodes[position].id): a bit of its disk is flipped")
    }

    private mutating func pause(_ position: Int) {
        guard nodes[position].isRunning else { return }
        nodes[position].isPaused = true
        trace.line(at: time, "\(nodes[position].id) is stopped")
        queue.schedule(.resume(nodes[position].id), at: time + draw(5_000_000...300_000_000))
    }

    mutating func resume(_ position: Int) {
        guard nodes[position].isUp, nodes[position].isPaused else { return }
        nodes[position].isPaused = false
        trace.line(at: time, "\(nodes[position].id) goes on")
        let waiting = nodes[position].waiting
        nodes[position].waiting = []
        // What waited is read from sockets and queues before the core is told the time.
        for event in waiting { queue.schedule(event, at: time) }
        scheduleWake(position, at: time + 1)
    }

    /// As behind a firewall that refuses what it should drop: the others take the node for gone.
    private mutating func refuseConnections(to victim: Int) {
        if chance(500) { cut("refuse \(nodes[victim].id)") { $0.split { $0 == victim } } }
        for witness in nodes.indices where witness != victim && chance(700) {
            noticeDeath(of: nodes[victim].id, at: witness, boot: nodes[witness].boot)
        }
    }

    private mutating func cut(_ what: String, _ change: (inout SimulatedNetwork) -> Void) {
        trace.line(at: time, "network: \(what)")
        if chance(500) { network.heal() }
        change(&network)
        queue.schedule(.heal, at: time + draw(5_000_000...400_000_000))
    }

    /// Two halves that only one node sees both of (openraft#2080).
    private mutating func bridge(over middle: Int) {
        let count = nodes.count
        cut("bridge over \(nodes[middle].id)") { network in
            for first in 0..<count where first != middle {
                for second in 0..<count where second != middle && (first < middle) != (second < middle) {
                    network.cutOneWay(from: first, to: second)
                }
            }
        }
    }

    private mutating func operate(on position: Int, _ what: String, _ order: (inout Raft, NodeID?, Instant) -> Void) {
        guard nodes[position].isRunning else { return }
        trace.line(at: time, "\(nodes[position].id) \(what)")
        let target: NodeID? = chance(500) ? nil : nodes[pickNode()].id
        order(&nodes[position].core, target, now(position))
        turn(position)
    }

    private mutating func changeMembers(at position: Int) {
        // With a disk that may be lost for good, a change could take the last majority away.
        guard nodes[position].isRunning, !nodes.contains(where: \.disk.isRotten) else { return }
        let membership = nodes[position].core.membership
        let node = nodes[pickNode()].id
        let change: MembershipChange
        if membership.learners.contains(node) {
            change = chance(700) ? .promote(node) : .remove(node)
        } else if membership.contains(node) {
            change = .remove(node)
        } else {
            change = chance(500) ? .addLearner(node) : .addVoter(node)
        }
        guard (try? nodes[position].core.changeMembership(change, at: now(position))) != nil else { return }
        coverage[.membershipChanges] += 1
        trace.line(at: time, "\(nodes[position].id) begins \(change)")
        turn(position)
    }

    /// From here on everything works.
    mutating func endFaults() {
        isFaulty = false
        trace.line(at: time, "faults end")
        network.heal()
        invariants.commitAtHeal = invariants.committed.count
        for position in nodes.indices {
            if !nodes[position].isUp && !nodes[position].isLost { start(position) }
            resume(position)
        }
        // One node restarts when no client asks for anything any more: it must learn what is committed all the same.
        let quiet = plan.faultyTime.count + plan.recovery.count - plan.quietTime + Plan.calmOperationGap.upperBound
        let last = nodes[pickNode()]
        queue.schedule(.crash(last.id, boot: last.boot, drawCrash()), at: quiet)
    }
}
