import Posix

/// The binary form of Raft's messages. What is read is consistent in itself: numbers are bounded, entries follow on
/// one another, a chunk lies within its snapshot.
extension ByteWriter {
    package mutating func append(_ message: Message) {
        switch message {
        case .preVoteRequest(let request): append(kind: 1, request)
        case .preVoteReply(let reply): append(kind: 2, reply)
        case .voteRequest(let request): append(kind: 3, request)
        case .voteReply(let reply): append(kind: 4, reply)
        case .heartbeat(let heartbeat):
            append(UInt8(5))
            append(heartbeat.term)
            append(heartbeat.stamp)
            append(heartbeat.commit)
            append(heartbeat.grant)
        case .heartbeatReply(let reply):
            append(UInt8(6))
            append(reply.term)
            append(reply.stamp)
            append(reply.matched)
            append(reply.borrower)
        case .appendRequest(let request): append(kind: 7, request)
        case .appendReply(let reply): append(kind: 8, reply)
        case .snapshotChunk(let chunk): append(kind: 9, chunk)
        case .snapshotReply(let reply):
            append(UInt8(10))
            append(reply.term)
            append(reply.last)
            append(reply.received)
        case .newerTerm(let notice):
            append(UInt8(11))
            append(notice.term)
        case .leaseReleased(let notice):
            append(UInt8(12))
            append(notice.term)
        case .campaignNow(let order):
            append(UInt8(13))
            append(order.term)
        case .proposal(let proposal):
            append(UInt8(14))
            append(proposal.id)
            append(lengthPrefixed: proposal.command)
        case .proposalRefused(let refusal):
            append(UInt8(15))
            append(refusal.id)
            append(refusal.reason)
        case .readRequest(let request):
            append(UInt8(16))
            append(request.id)
        case .readReply(let reply): append(kind: 17, reply)
        case .leaseWish(let wish):
            append(UInt8(18))
            append(wish.term)
            append(wish.sentAt.nanoseconds)
        case .leaseGrant(let grant):
            append(UInt8(19))
            append(grant.term)
            append(grant.sentAt.nanoseconds)
        }
    }

    private mutating func append(kind: UInt8, _ request: VoteRequest) {
        append(kind)
        append(request.term)
        append(request.attempt)
        append(request.last)
        append(request.releasedThrough)
    }

    private mutating func append(kind: UInt8, _ reply: VoteReply) {
        append(kind)
        append(reply.term)
        append(reply.attempt)
        append(reply.granted)
        append(reply.contact.term != nil)
        append(reply.contact.term ?? .zero)
        append(min(reply.contact.age.count, WireLimit.age))
        append(reply.contact.promised)
        append(min(reply.contact.promisedFor.count, WireLimit.age))
        append(reply.contact.newest)
        append(min(reply.contact.memory.count, WireLimit.age))
    }

    private mutating func append(kind: UInt8, _ request: AppendRequest) {
        append(kind)
        append(request.term)
        append(request.previous)
        append(request.commit)
        append(UInt32(request.entries.count))
        for entry in request.entries { append(entry) }
    }

    private mutating func append(kind: UInt8, _ reply: AppendReply) {
        append(kind)
        append(reply.term)
        switch reply.outcome {
        case .matched(let index):
            append(UInt8(0))
            append(index)
        case .conflict(let rejected, let hint):
            append(UInt8(1))
            append(rejected)
            append(hint)
        }
    }

    private mutating func append(kind: UInt8, _ chunk: SnapshotChunk) {
        append(kind)
        append(chunk.term)
        append(chunk.last)
        append(chunk.membership)
        append(chunk.totalBytes)
        append(chunk.offset)
        append(lengthPrefixed: chunk.bytes)
    }

    private mutating func append(kind: UInt8, _ reply: ReadReply) {
        append(kind)
        append(reply.id)
        switch reply.outcome {
        case .index(let index):
            append(UInt8(0))
            append(index)
        case .refused(let reason):
            append(UInt8(1))
            switch reason {
            case .notLeader(let leader):
                append(UInt8(0))
                append(leader)
            case .overloaded: append(UInt8(1))
            }
        }
    }

    private mutating func append(_ stamp: HeartbeatStamp) {
        append(stamp.round)
        append(stamp.sentAt.nanoseconds)
    }

    private mutating func append(_ id: ReadID) {
        append(id.boot)
        append(id.sequence)
    }

    private mutating func append(_ reason: ProposalFailure) {
        switch reason {
        case .notLeader(let leader):
            append(UInt8(0))
            append(leader)
        case .overloaded: append(UInt8(1))
        case .tooLarge: append(UInt8(2))
        case .handingOver: append(UInt8(3))
        case .superseded: append(UInt8(4))
        }
    }
}

enum WireLimit {
    /// Some 36 years: the sum of a few such ages does not overflow.
    static let age: UInt64 = 1 << 60
    static let entries = 1 << 16
    static let snapshotBytes: UInt64 = 4 << 30
    static let rights = 64
}

extension ByteReader {
    package mutating func readMessage() throws(MalformedBytes) -> Message {
        switch try readUInt8() {
        case 1: return .preVoteRequest(try readVoteRequest())
        case 2: return .preVoteReply(try readVoteReply())
        case 3: return .voteRequest(try readVoteRequest())
        case 4: return .voteReply(try readVoteReply())
        case 5:
            return .heartbeat(
                Heartbeat(
                    term: try readTerm(), stamp: try readStamp(), commit: try readLogIndex(), grant: try readGrant()))
        case 6:
            return .heartbeatReply(
                HeartbeatReply(
                    term: try readTerm(), stamp: try readStamp(), matched: try readLogIndex(),
                    borrower: try readStatement()))
        case 7: return .appendRequest(try readAppendRequest())
        case 8: return .appendReply(try readAppendReply())
        case 9: return .snapshotChunk(try readSnapshotChunk())
        case 10:
            return .snapshotReply(
                SnapshotReply(
                    term: try readTerm(), last: try readLogPosition(),
                    received: try readUInt64(upTo: WireLimit.snapshotBytes, "an offset in a snapshot")))
        case 11: return .newerTerm(NewerTerm(term: try readTerm()))
        case 12: return .leaseReleased(LeaseReleased(term: try readTerm()))
        case 13: return .campaignNow(CampaignNow(term: try readTerm()))
        case 14:
            let id = try readProposalID()
            let command = try readLengthPrefixed(upTo: CodingLimit.commandBytes)
            return .proposal(ForwardedProposal(id: id, command: command))
        case 15: return .proposalRefused(ProposalRefused(id: try readProposalID(), reason: try readProposalFailure()))
        case 16: return .readRequest(ReadRequest(id: try readReadID()))
        case 17: return .readReply(try readReadReply())
        case 18: return .leaseWish(LeaseWish(term: try readTerm(), sentAt: try readInstant()))
        case 19: return .leaseGrant(LeaseGrant(term: try readTerm(), sentAt: try readInstant()))
        case let kind: throw MalformedBytes(at: offset - 1, expected: "a message kind from 1 to 19, not \(kind)")
        }
    }

    private mutating func readVoteRequest() throws(MalformedBytes) -> VoteRequest {
        VoteRequest(
            term: try readTerm(), attempt: try readUInt64(), last: try readLogPosition(),
            releasedThrough: try readTerm())
    }

    private mutating func readVoteReply() throws(MalformedBytes) -> VoteReply {
        let term = try readTerm()
        let attempt = try readUInt64()
        let granted = try readBool()
        let hasContact = try readBool()
        let contactTerm = try readTerm()
        let age = Nanoseconds(try readUInt64(upTo: WireLimit.age, "an age in nanoseconds"))
        let promised = try readTerm()
        let promisedFor = Nanoseconds(try readUInt64(upTo: WireLimit.age, "a time in nanoseconds"))
        return VoteReply(
            term: term, attempt: attempt, granted: granted,
            contact: ContactAge(
                term: hasContact ? contactTerm : nil, age: age, promised: promised, promisedFor: promisedFor,
                newest: try readTerm(),
                memory: Nanoseconds(try readUInt64(upTo: WireLimit.age, "an age in nanoseconds"))))
    }

    private mutating func readAppendRequest() throws(MalformedBytes) -> AppendRequest {
        let term = try readTerm()
        let previous = try readLogPosition()
        let commit = try readLogIndex()
        let count = Int(try readUInt32())
        guard count <= WireLimit.entries else {
            throw MalformedBytes(at: offset - 4, expected: "at most \(WireLimit.entries) entries")
        }
        var entries: [Entry] = []
        var last = previous
        for _ in 0..<count {
            let start = offset
            let entry = try readEntry()
            guard entry.index == last.index.next, last.term <= entry.term, entry.term <= term else {
                throw MalformedBytes(at: start, expected: "an entry that follows on \(last) in term \(term) or before")
            }
            last = LogPosition(term: entry.term, index: entry.index)
            entries.append(entry)
        }
        return AppendRequest(term: term, previous: previous, entries: entries, commit: commit)
    }

    private mutating func readAppendReply() throws(MalformedBytes) -> AppendReply {
        let term = try readTerm()
        if try readBool() {
            return AppendReply(
                term: term, outcome: .conflict(rejected: try readLogIndex(), hint: try readLogPosition()))
        }
        return AppendReply(term: term, outcome: .matched(try readLogIndex()))
    }

    private mutating func readSnapshotChunk() throws(MalformedBytes) -> SnapshotChunk {
        let term = try readTerm()
        let last = try readLogPosition()
        let membership = try readMembership()
        let total = try readUInt64(upTo: WireLimit.snapshotBytes, "a snapshot's length")
        let start = try readUInt64(upTo: total, "an offset in the snapshot")
        let bytes = try readLengthPrefixed(upTo: min(CodingLimit.commandBytes, Int(total - start)))
        return SnapshotChunk(
            term: term, last: last, membership: membership, totalBytes: total, offset: start, bytes: bytes)
    }

    private mutating func readReadReply() throws(MalformedBytes) -> ReadReply {
        let id = try readReadID()
        guard try readBool() else { return ReadReply(id: id, outcome: .index(try readLogIndex())) }
        if try readBool() { return ReadReply(id: id, outcome: .refused(.overloaded)) }
        return ReadReply(id: id, outcome: .refused(.notLeader(leader: try readOptionalNodeID())))
    }

    private mutating func readStamp() throws(MalformedBytes) -> HeartbeatStamp {
        HeartbeatStamp(
            round: try readUInt64(upTo: CodingLimit.largestNumber, "a round of heartbeats"),
            sentAt: try readInstant())
    }

    mutating func readInstant() throws(MalformedBytes) -> Instant {
        Instant(nanoseconds: try readUInt64(upTo: CodingLimit.largestNumber, "an instant"))
    }

    private mutating func readReadID() throws(MalformedBytes) -> ReadID {
        ReadID(boot: try readUInt64(), sequence: try readUInt64())
    }

    private mutating func readProposalFailure() throws(MalformedBytes) -> ProposalFailure {
        switch try readUInt8() {
        case 0: return .notLeader(leader: try readOptionalNodeID())
        case 1: return .overloaded
        case 2: return .tooLarge
        case 3: return .handingOver
        case 4: return .superseded
        default: throw MalformedBytes(at: offset - 1, expected: "a reason from 0 to 4")
        }
    }
}
