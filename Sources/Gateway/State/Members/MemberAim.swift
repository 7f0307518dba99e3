import Posix
import Raft

/// What the operator wants a member to be. Founding members have none until the operator wants something of them.
///
/// The leader brings Raft's membership there, one `MembershipStep` after the other, so that an aim outlives any
/// leader that was about to follow it. The raw value is the name in the API.
package enum MemberAim: String, Hashable, Sendable, CaseIterable {
    /// A learner that becomes a voter once it has caught up.
    case voter
    /// Has everything but a vote, for good.
    case learner
    /// Final: the id is never used again.
    case removed
}

/// A wish of the operator that concerns one member.
package struct MemberChange: Hashable, Sendable {
    package enum Wish: Hashable, Sendable {
        /// `votes` is false for a learner for good.
        case add(MemberRecord, votes: Bool)
        case promote(NodeID)
        case remove(NodeID)
        /// The node shall neither lead nor hold virtual addresses while another can.
        case drain(NodeID)
        case undrain(NodeID)
    }

    package var wish: Wish
    /// Who asked for it, for the journal; cut off at `Command.Limit.nameBytes`.
    package var author: String
    package var at: WallTime

    package init(_ wish: Wish, author: String, at: WallTime) {
        self.wish = wish
        self.author = author.cutOff(atBytes: Command.Limit.nameBytes)
        self.at = at
    }
}

/// The wish that another voter leads.
package struct LeadershipMove: Hashable, Sendable {
    /// nil: the voter that is closest behind.
    package var target: NodeID?
    package var author: String
    package var at: WallTime

    package init(to target: NodeID?, author: String, at: WallTime) {
        self.target = target
        self.author = author.cutOff(atBytes: Command.Limit.nameBytes)
        self.at = at
    }
}

/// Why a change of members or of the leader is not made.
package enum MemberRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case alreadyMember(NodeID)
    case notMember(NodeID)
    case removedBefore(NodeID)
    case taken(what: String, by: NodeID)
    case lastVoter(NodeID)
    case tooManyVoters(limit: Int)
    case notVoter(NodeID)
    case drained(NodeID)
    case unreachable(NodeID)
    case noOtherVoter

    package var description: String {
        switch self {
        case .alreadyMember(let node): "node \(node) is a member already; see `gwnode members list`"
        case .notMember(let node): "node \(node) is not a member; see `gwnode members list`"
        case .removedBefore(let node):
            "node \(node) was removed, and an id is never used again; give the node another id and an empty data "
                + "directory"
        case .taken(let what, let owner): "\(what) is that of node \(owner); every node needs its own"
        case .lastVoter(let node): "node \(node) is the last voter; add or promote another one first"
        case .tooManyVoters(let limit):
            "the cluster has \(limit) voters, which is the limit; add the node as a learner (--learner)"
        case .notVoter(let node):
            "node \(node) has no vote and can not lead; promote it first (`gwnode members promote \(node)`)"
        case .drained(let node):
            "node \(node) is drained; let it lead again first (`gwnode node undrain \(node)`)"
        case .unreachable(let node): "node \(node) is not reachable now; start it and try again"
        case .noOtherVoter: "there is no other voter that could lead; add one first"
        }
    }

    /// Whether the same request can succeed later without another change by the operator.
    package var isRetryable: Bool {
        switch self {
        case .unreachable: true
        case .alreadyMember, .notMember, .removedBefore, .taken, .lastVoter, .tooManyVoters, .notVoter, .drained,
            .noOtherVoter:
            false
        }
    }
}
