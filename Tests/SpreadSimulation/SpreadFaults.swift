import Gateway
import Posix
import Raft

/// What befalls nodes and network.
extension SpreadSimulation {
    mutating func start(_ position: Int) {
        nodes[position].start(seed: random.next(), knowing: known(position), at: time)
        trace("node \(nodes[position].id) starts")
        turn(position)
    }

    mutating func injectFault() {
        schedule(.fault, in: faultGap)
        let victim = Int(random.next() % UInt64(nodes.count))
        switch random.next() % 11 {
        case 0, 1: crash(victim)
        case 2: stop(victim)
        case 3:
            count("cuts")
            let side = random.next()
            for from in nodes.indices {
                for to in nodes.indices where side >> from & 1 != side >> to & 1 { cuts.insert(from * 8 + to) }
            }
            trace("network: split \(side % 128)")
            schedule(.heal, in: 5_000_000...400_000_000)
        case 4:
            count("cuts")
            let other = Int(random.next() % UInt64(nodes.count))
            cuts.insert(victim * 8 + other)
            trace("network: cut \(victim + 1) → \(other + 1)")
            schedule(.heal, in: 5_000_000...400_000_000)
        case 5: changeMembers(victim)
        case 8:
            count("jams")
            trace("node \(nodes[victim].id) can take no address off")
            nodes[victim].jam(true)
            schedule(.unjam(victim), in: 5_000_000...100_000_000)
        case 9: disable(victim)
        case 6, 7:
            guard nodes[victim].process == .runs else { return }
            trace("node \(nodes[victim].id) prepares to be replaced")
            nodes[victim].pauses = true
            nodes[victim].core.prepareToPause(at: now(victim))
            turn(victim)
            schedule(.replace(victim, boot: nodes[victim].boot), in: 5_000_000...50_000_000)
        default:
            guard nodes[victim].process == .runs else { return }
            count("transfers")
            try? nodes[victim].core.transferLeadership(to: nil, at: now(victim))
            turn(victim)
        }
    }

    private mutating func disable(_ position: Int) {
        guard nodes[position].process == .runs, nodes[position].unableSince == nil else { return }
        count("disabled nodes")
        trace("node \(nodes[position].id) can hold nothing")
        nodes[position].unableSince = time
        turn(position)
        schedule(.enable(position), in: 20_000_000...400_000_000)
    }

    mutating func enable(_ position: Int) {
        guard nodes[position].unableSince != nil else { return }
        trace("node \(nodes[position].id) can hold addresses again")
        nodes[position].unableSince = nil
        for other in nodes.indices { nodes[other].unable[nodes[position].id] = nil }
        if nodes[position].process == .runs { turn(position) }
    }

    private mutating func stop(_ position: Int) {
        guard nodes[position].process == .runs else { return }
        count("pauses")
        trace("node \(nodes[position].id) is stopped")
        nodes[position].process = .stopped
        schedule(.resume(position), in: 5_000_000...300_000_000)
    }

    mutating func resume(_ position: Int) {
        guard nodes[position].process == .stopped else { return }
        nodes[position].process = .runs
        let waiting = nodes[position].waiting
        nodes[position].waiting = []
        for event in waiting { schedule(event, at: time) }
        wake(position, at: time + 2)
    }

    // MARK: Crashes

    private mutating func crash(_ position: Int) {
        guard nodes[position].process != .none else { return }
        count("crashes")
        trace("node \(nodes[position].id) crashes")
        let node = nodes[position]
        nodes[position].crash()
        if chance(300) {
            nodes[position].orphan()
        } else {
            schedule(
                .released(
                    position, seed: node.seed, node.lastLease, isBorrowed: node.lastShare.tenure == .borrowed),
                in: 200_000...3_000_000)
        }
        let longest: UInt64 = chance(500) ? 8_000_000 : 300_000_000
        schedule(.start(position), in: 1_000_000...longest)
    }

    /// The guard of a process that ended has taken everything off, and tells the others.
    mutating func release(_ position: Int, _ seed: UInt64, _ lease: Lease?, _ isBorrowed: Bool) {
        guard nodes[position].releaseAll(of: seed), let lease else { return }
        for other in nodes.indices where other != position && chance(800) {
            schedule(
                .notice(to: other, about: position, isBorrowed ? .borrower(boot: seed) : .leader(lease.term)),
                in: 50_000...60_000_000)
        }
    }

    // MARK: Replacement of processes

    /// Gives it up where the addresses would not outlast it, like an upgrade.
    mutating func replace(_ position: Int) {
        let node = nodes[position]
        guard node.outlastsPause(at: time) else {
            nodes[position].pauses = false
            return turn(position)
        }
        guard let continuation = node.core.continuation else {
            return schedule(.replace(position, boot: node.boot), in: 200_000...1_000_000)
        }
        let borrows = continuation.borrowed?.rights.isEmpty == false
        count(continuation.leading != nil ? "replaced leaders" : borrows ? "replaced borrowers" : "replaced others")
        trace("node \(node.id) makes room for another process")
        nodes[position].suspend()
        let goesOn = chance(850)
        let gap = draw(1_000_000...(chance(800) ? 40_000_000 : 2 * Self.timing.pause.count))
        schedule(
            .succeed(position, boot: nodes[position].boot, goesOn ? continuation : nil), at: time + gap)
    }

    mutating func succeed(_ position: Int, _ boot: Int, _ continuation: Continuation?) {
        guard nodes[position].boot == boot, nodes[position].process == .isReplaced else { return }
        nodes[position].succeed(
            seed: random.next(), knowing: known(position), continuing: continuation, at: time)
        trace("node \(nodes[position].id) \(continuation == nil ? "starts anew" : "goes on") in another process")
        turn(position)
    }

    // MARK: Members

    /// Adds one that never was a member, or removes one for good; at least three voters stay.
    private mutating func changeMembers(_ victim: Int) {
        guard let leader = nodes.firstIndex(where: { $0.process == .runs && $0.core.role == .leader }) else { return }
        let status = nodes[leader].core.status
        let id = nodes[victim].id
        let isMember = status.membership.contains(id)
        let isNew = nodes[victim].durable.entries.isEmpty && nodes[victim].durable.snapshot == nil && victim >= founders
        guard isMember ? status.membership.voters.count > 3 : isNew else { return }
        do throws(MembershipRefusal) {
            try nodes[leader].core.changeMembership(isMember ? .remove(id) : .addVoter(id), at: now(leader))
            count(isMember ? "removals" : "additions")
            trace("node \(id) is \(isMember ? "removed" : "added")")
        } catch { return }
        turn(leader)
    }

    mutating func heal() {
        isFaulty = false
        time = Self.faultyTime
        cuts = []
        for position in nodes.indices {
            nodes[position].jam(false)
            enable(position)
            if nodes[position].process == .none { start(position) }
            resume(position)
        }
    }
}
