import Posix

/// A read at the leader that waits to be confirmed.
struct WaitingRead: Hashable, Sendable {
    var id: ReadID
    /// Who asked; nil for this node.
    var asker: NodeID?
    /// A majority's answer to this round of heartbeats, or to a later one, proves that leadership lasted until after
    /// the read was asked for.
    var round: UInt64
}

/// Linearizable reads: under the lease at once, otherwise by ReadIndex (dissertation, section 6.4).
extension Raft {
    /// Asks for a linearizable read at any node; answered by `Ready.servedReads` or `Ready.failedReads`.
    /// Messages may be lost: the host bounds its waiting and may ask again.
    package mutating func read(_ id: ReadID, at now: Instant) {
        advanceClock(to: now)
        if leadership == nil, let leader {
            send(.readRequest(ReadRequest(id: id)), to: leader)
        } else {
            read(id, for: nil)
        }
    }

    mutating func handleReadRequest(_ request: ReadRequest, from sender: NodeID) { read(request.id, for: sender) }

    mutating func handleReadReply(_ reply: ReadReply) {
        switch reply.outcome {
        case .index(let index): serve(reply.id, whenApplied: index)
        case .refused(let reason): fail(reply.id, for: nil, reason)
        }
    }

    private mutating func read(_ id: ReadID, for asker: NodeID?) {
        guard let round = leadership?.stamp.round, let waiting = leadership?.waitingReads.count else {
            return fail(id, for: asker, .notLeader(leader: leader))
        }
        guard waiting < limits.pendingReads else { return fail(id, for: asker, .overloaded) }
        leadership?.waitingReads.append(WaitingRead(id: id, asker: asker, round: round + 1))
        if !readsAreLeased { leadership?.heartbeatWanted = true }
        serveWaitingReads()
    }

    private var readsAreLeased: Bool { lease?.isHeld(at: now) == true }

    /// Before the term's first entry is committed the leader does not know what is (etcd#7331).
    mutating func serveWaitingReads() {
        guard let leadership, !leadership.waitingReads.isEmpty, commit >= leadership.firstOfTerm else { return }
        let acknowledged = membership.majorityValue { leadership.acknowledged(by: $0, self: id) } ?? .never
        let isLeased = readsAreLeased
        let confirmed = leadership.waitingReads.prefix { isLeased || $0.round <= acknowledged.round }
        self.leadership?.waitingReads.removeFirst(confirmed.count)
        for read in confirmed {
            if let asker = read.asker {
                send(.readReply(ReadReply(id: read.id, outcome: .index(commit))), to: asker)
                noteWaiting(at: asker, for: commit)
            } else {
                serve(read.id, whenApplied: commit)
            }
        }
    }

    mutating func failWaitingReads(_ leadership: Leadership, leader: NodeID?) {
        for read in leadership.waitingReads { fail(read.id, for: read.asker, .notLeader(leader: leader)) }
    }

    private mutating func serve(_ id: ReadID, whenApplied index: LogIndex) {
        if applied >= index {
            output.servedReads.append(ServedRead(id: id, index: index))
        } else if readsAwaitingApply.count < limits.pendingReads {
            readsAwaitingApply.append(ServedRead(id: id, index: index))
        } else {
            fail(id, for: nil, .overloaded)
        }
    }

    mutating func serveAppliedReads() {
        output.servedReads += readsAwaitingApply.filter { $0.index <= applied }
        readsAwaitingApply.removeAll { $0.index <= applied }
    }

    private mutating func fail(_ id: ReadID, for asker: NodeID?, _ reason: ReadFailure) {
        if let asker {
            send(.readReply(ReadReply(id: id, outcome: .refused(reason))), to: asker)
        } else {
            output.failedReads.append(FailedRead(id: id, reason: reason))
        }
    }
}
