import Posix
import Raft

/// Messages of every kind with random content, from a seed.
struct MessageSamples {
    var random: SeededRandom

    static let kinds = 19

    mutating func message(kind: Int) -> Message {
        switch kind {
        case 0: return .preVoteRequest(voteRequest())
        case 1: return .preVoteReply(voteReply())
        case 2: return .voteRequest(voteRequest())
        case 3: return .voteReply(voteReply())
        case 4: return .heartbeat(Heartbeat(term: term(), stamp: stamp(), commit: index(), grant: grant()))
        case 5:
            return .heartbeatReply(
                HeartbeatReply(term: term(), stamp: stamp(), matched: index(), borrower: statement()))
        case 6: return .appendRequest(appendRequest())
        case 7: return .appendReply(AppendReply(term: term(), outcome: appendOutcome()))
        case 8: return .snapshotChunk(chunk())
        case 9: return .snapshotReply(SnapshotReply(term: term(), last: position(), received: number() % 1_000_000))
        case 10: return .newerTerm(NewerTerm(term: term()))
        case 11: return .leaseReleased(LeaseReleased(term: term()))
        case 12: return .campaignNow(CampaignNow(term: term()))
        case 13: return .proposal(ForwardedProposal(id: proposal(), command: bytes(upTo: 300)))
        case 14: return .proposalRefused(ProposalRefused(id: proposal(), reason: proposalFailure()))
        case 15: return .readRequest(ReadRequest(id: read()))
        case 16: return .readReply(ReadReply(id: read(), outcome: readOutcome()))
        case 17: return .leaseWish(LeaseWish(term: term(), sentAt: stamp().sentAt))
        default: return .leaseGrant(LeaseGrant(term: term(), sentAt: stamp().sentAt))
        }
    }

    mutating func bytes(upTo limit: UInt64) -> [UInt8] {
        (0..<random.next() % (limit + 1)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// Small and large numbers alike, within what a cluster can count.
    private mutating func number() -> UInt64 { random.next() >> (2 + random.next() % 60) }
    private mutating func term() -> Term { Term(number()) }
    private mutating func index() -> LogIndex { LogIndex(number()) }
    private mutating func node() -> NodeID { NodeID(number() % 9 + 1) }
    private mutating func position() -> LogPosition { LogPosition(term: term(), index: index()) }
    private mutating func coin() -> Bool { random.next() % 2 == 0 }
    private mutating func proposal() -> ProposalID {
        ProposalID(node: node(), boot: random.next(), sequence: random.next())
    }
    private mutating func read() -> ReadID { ReadID(boot: random.next(), sequence: random.next()) }
    private mutating func stamp() -> HeartbeatStamp {
        HeartbeatStamp(round: number(), sentAt: Instant(nanoseconds: number()))
    }

    private mutating func borrowerStamp() -> BorrowerStamp {
        BorrowerStamp(boot: random.next(), sentAt: Instant(nanoseconds: number()))
    }
    private mutating func rights() -> [Right] {
        (0..<random.next() % 4).map { _ in Right(high: random.next(), low: random.next()) }
    }
    private mutating func grant() -> Grant? {
        coin() ? Grant(echo: borrowerStamp(), rights: rights(), isLong: coin()) : nil
    }
    private mutating func statement() -> BorrowerStatement? {
        guard coin() else { return nil }
        return BorrowerStatement(
            stamp: borrowerStamp(), isWilling: coin(), returned: rights(), settled: number(), pauses: coin())
    }

    private mutating func membership() -> Membership {
        Membership(voters: [NodeID(1), NodeID(5)], outgoingVoters: coin() ? [node()] : [], learners: [node()])
    }

    private mutating func voteRequest() -> VoteRequest {
        VoteRequest(term: term(), attempt: random.next(), last: position(), releasedThrough: term())
    }

    private mutating func voteReply() -> VoteReply {
        let contact = ContactAge(
            term: coin() ? term() : nil, age: Nanoseconds(number() >> 4), promised: coin() ? term() : .zero,
            promisedFor: Nanoseconds(number() >> 4), newest: term(), memory: Nanoseconds(number() >> 4))
        return VoteReply(term: term(), attempt: random.next(), granted: coin(), contact: contact)
    }

    private mutating func appendRequest() -> AppendRequest {
        let previous = LogPosition(term: Term(number() >> 1), index: LogIndex(number() >> 1))
        let entries = (0..<random.next() % 5).map { step in
            Entry(term: previous.term, index: LogIndex(previous.index.number + step + 1), payload: payload())
        }
        return AppendRequest(term: previous.term, previous: previous, entries: entries, commit: index())
    }

    private mutating func payload() -> Entry.Payload {
        switch random.next() % 3 {
        case 0: .noop
        case 1: .command(proposal(), bytes(upTo: 100))
        default: .membership(membership())
        }
    }

    private mutating func appendOutcome() -> AppendReply.Outcome {
        coin() ? .matched(index()) : .conflict(rejected: index(), hint: position())
    }

    private mutating func chunk() -> SnapshotChunk {
        let content = bytes(upTo: 200)
        let start = number() >> 40
        return SnapshotChunk(
            term: term(), last: position(), membership: membership(),
            totalBytes: start + UInt64(content.count) + number() >> 40, offset: start, bytes: content)
    }

    private mutating func proposalFailure() -> ProposalFailure {
        [.notLeader(leader: nil), .notLeader(leader: node()), .overloaded, .tooLarge, .handingOver, .superseded][
            Int(random.next() % 6)]
    }

    private mutating func readOutcome() -> ReadReply.Outcome {
        [
            .index(index()), .refused(.overloaded), .refused(.notLeader(leader: nil)),
            .refused(.notLeader(leader: node())),
        ][
            Int(random.next() % 4)]
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
