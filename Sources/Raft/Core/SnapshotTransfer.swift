import Posix

/// A snapshot on its way to a member. It stays the same one when the leader takes a newer one meanwhile.
struct SnapshotSending: Hashable, Sendable {
    let snapshot: Snapshot
    /// The member holds all bytes before this.
    var received = 0
    /// The next byte to send.
    var next = 0
    /// All chunks have been sent once; an empty state is one empty chunk.
    var isSent = false

    init(snapshot: Snapshot) { self.snapshot = snapshot }
}

/// A snapshot on its way in. It lives in memory only: after a restart the leader begins again.
struct SnapshotReceiving: Hashable, Sendable {
    var last: LogPosition
    var membership: Membership
    var totalBytes: UInt64
    var state: [UInt8] = []

    init(of chunk: SnapshotChunk) {
        last = chunk.last
        membership = chunk.membership
        totalBytes = chunk.totalBytes
    }

    func isPart(_ chunk: SnapshotChunk) -> Bool { chunk.last == last && chunk.totalBytes == totalBytes }

    var completed: Snapshot? {
        guard UInt64(state.count) == totalBytes else { return nil }
        return Snapshot(index: last.index, term: last.term, membership: membership, state: state)
    }
}

/// Snapshots in chunks (Raft paper, section 7), on the bulk lane, resumed where the member says.
extension Raft {
    mutating func sendSnapshotChunks(to position: Int) {
        guard let peer = leadership?.peers[position], case .snapshot(var sending) = peer.mode else { return }
        let resendAt = self.resendAt
        if now >= peer.resendAt {
            sending.next = sending.received
            sending.isSent = false
            leadership?.peers[position].resendAt = resendAt
        }
        let state = sending.snapshot.state
        let window = limits.snapshotChunkBytes * limits.snapshotChunksInFlight
        while !sending.isSent && sending.next < sending.received + window {
            let end = min(sending.next + limits.snapshotChunkBytes, state.count)
            let chunk = SnapshotChunk(
                term: term, last: sending.snapshot.position, membership: sending.snapshot.membership,
                totalBytes: UInt64(state.count), offset: UInt64(sending.next), bytes: Array(state[sending.next..<end]))
            send(.snapshotChunk(chunk), to: peer.id)
            sending.next = end
            sending.isSent = end == state.count
        }
        leadership?.peers[position].mode = .snapshot(sending)
    }

    mutating func handleSnapshotReply(_ reply: SnapshotReply, from sender: NodeID) {
        guard reply.term == term, let position = leadership?.index(of: sender) else { return }
        leadership?.peers[position].lastContact = now
        guard case .snapshot(var sending)? = leadership?.peers[position].mode,
            sending.snapshot.position == reply.last, reply.received <= UInt64(sending.snapshot.state.count)
        else { return }
        let received = Int(reply.received)
        if received < sending.received {
            // The member restarted and lost what it had, or an old reply came late: both go on from there.
            sending.next = received
            sending.isSent = false
        }
        sending.received = received
        sending.next = max(sending.next, received)
        let resendAt = self.resendAt
        leadership?.peers[position].mode = .snapshot(sending)
        leadership?.peers[position].resendAt = resendAt
    }

    mutating func handleSnapshotChunk(_ chunk: SnapshotChunk, from sender: NodeID) {
        guard accepts(leaderOf: chunk.term, sender), chunk.isWellFormed(within: limits) else { return }
        if log.holds(chunk.last) || chunk.last.index <= commit {
            commit(through: chunk.last.index)
            following.receiving = nil
            following.matched = max(following.matched, commit)
            following.owedAcknowledgement = following.matched
            return
        }
        if following.receiving?.isPart(chunk) != true { following.receiving = SnapshotReceiving(of: chunk) }
        if following.receiving?.state.count == Int(chunk.offset) { following.receiving?.state += chunk.bytes }
        guard let receiving = following.receiving else { return }
        if let snapshot = receiving.completed {
            following.receiving = nil
            install(snapshot)
        } else {
            let received = UInt64(receiving.state.count)
            send(.snapshotReply(SnapshotReply(term: term, last: chunk.last, received: received)), to: sender)
        }
    }

    /// The leader's snapshot replaces log and applied state. It is acknowledged, as an append is, once durable.
    private mutating func install(_ snapshot: Snapshot) {
        log.restart(from: snapshot)
        writes.restarted(from: snapshot)
        commit = snapshot.index
        handedOut = snapshot.index
        output.restore = snapshot
        following.matched = snapshot.index
        following.owedAcknowledgement = snapshot.index
    }

    /// What a snapshot of the state applied so far is made of, with the host's bytes.
    package func snapshot(ofAppliedState state: [UInt8]) -> Snapshot {
        Snapshot(
            index: applied, term: log.term(at: applied) ?? log.base.term, membership: log.membership(at: applied),
            state: state)
    }

    /// This snapshot of the own state is durable: the log before it may go.
    package mutating func snapshotTaken(_ snapshot: Snapshot, at now: Instant) {
        advanceClock(to: now)
        guard snapshot.index > snapshotIndex, snapshot.index <= applied else { return }
        log.compact(to: snapshot, retaining: limits.retainedEntries)
    }
}

extension SnapshotChunk {
    /// Not larger than allowed, and not beyond its own end.
    fileprivate func isWellFormed(within limits: Limits) -> Bool {
        guard totalBytes <= UInt64(limits.snapshotBytes), offset <= totalBytes else { return false }
        return UInt64(bytes.count) <= totalBytes - offset
    }
}
