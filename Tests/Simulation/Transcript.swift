import Raft

/// Messages as a transcript shows them: short, one line each.
extension Message {
    var brief: String {
        switch self {
        case .preVoteRequest(let request): "preVote? t\(request.term) last \(request.last)"
        case .preVoteReply(let reply): "preVote \(reply.granted ? "yes" : "no") t\(reply.term) \(reply.contact.brief)"
        case .voteRequest(let request): "vote? t\(request.term) last \(request.last)"
        case .voteReply(let reply): "vote \(reply.granted ? "yes" : "no") t\(reply.term) \(reply.contact.brief)"
        case .heartbeat(let beat): "heartbeat t\(beat.term) #\(beat.stamp.round) commit \(beat.commit)"
        case .heartbeatReply(let reply): "heard t\(reply.term) #\(reply.stamp.round) matched \(reply.matched)"
        case .appendRequest(let request):
            "append t\(request.term) after \(request.previous) [\(request.entries.map(\.brief).joined(separator: ", "))]"
                + " commit \(request.commit)"
        case .appendReply(let reply): "appended t\(reply.term) \(reply.outcome.brief)"
        case .snapshotChunk(let chunk):
            "snapshot t\(chunk.term) \(chunk.last) bytes \(chunk.offset)+\(chunk.bytes.count)/\(chunk.totalBytes)"
        case .snapshotReply(let reply): "snapshot t\(reply.term) \(reply.last) received \(reply.received)"
        case .newerTerm(let notice): "newer term t\(notice.term)"
        case .leaseReleased(let released): "lease released t\(released.term)"
        case .campaignNow(let order): "campaign now t\(order.term)"
        case .leaseWish(let wish): "lease wish t\(wish.term)"
        case .leaseGrant(let grant): "lease grant t\(grant.term)"
        case .proposal(let proposal): "proposal \(proposal.id)"
        case .proposalRefused(let refusal): "proposal \(refusal.id) refused: \(refusal.reason)"
        case .readRequest(let request): "read? \(request.id)"
        case .readReply(let reply): "read \(reply.id): \(reply.outcome)"
        }
    }
}

extension Entry {
    fileprivate var brief: String {
        switch payload {
        case .noop: "\(position) no-op"
        case .command(let id, _): "\(position) \(id)"
        case .membership(let members):
            "\(position) voters \(members.voters) outgoing \(members.outgoingVoters) learners \(members.learners)"
                + " joining \(members.joining)"
        }
    }
}

extension AppendReply.Outcome {
    fileprivate var brief: String {
        switch self {
        case .matched(let index): "through \(index)"
        case .conflict(let rejected, let hint): "not: no \(rejected), at most \(hint)"
        }
    }
}

extension ContactAge {
    fileprivate var brief: String { "contact \(age) ago in t\(term.map(\.description) ?? "?")" }
}
