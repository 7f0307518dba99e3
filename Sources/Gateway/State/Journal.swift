import Posix
import Raft

/// The last things that happened to the cluster, oldest first.
package struct Journal: Hashable, Sendable {
    package internal(set) var entries: [JournalEntry] = []
    /// The number of the next entry.
    package internal(set) var nextSequence: UInt64 = 1

    package init() {}

    mutating func append(_ event: JournalEvent, at time: WallTime) {
        if entries.count == ClusterState.Limit.journal { entries.removeFirst() }
        entries.append(JournalEntry(sequence: nextSequence, at: time, event: event))
        nextSequence += 1
    }
}

package struct JournalEntry: Hashable, Sendable {
    /// Rises by one with each entry of the cluster's life, so a reader can ask for what came after.
    package var sequence: UInt64
    /// The proposer's calendar time.
    package var at: WallTime
    package var event: JournalEvent
}

package enum JournalEvent: Hashable, Sendable, CustomStringConvertible {
    case leaderElected(NodeID, term: Term)
    case virtualAddressesTaken(by: NodeID, term: Term)
    case virtualAddressesReleased(term: Term)
    case configurationApplied(Revision, author: String)
    case backendModeChanged(BackendKey, BackendMode, author: String)
    /// The agreed verdict changed.
    case backendHealthChanged(BackendKey, HealthVerdict)
    case memberDescribed(NodeID, name: String, version: String)
    case memberAdded(NodeID, name: String, author: String)
    case memberPromoted(NodeID, author: String)
    case memberRemoved(NodeID, author: String)
    case memberDrained(NodeID, author: String)
    case memberUndrained(NodeID, author: String)
    case leadershipMoveWanted(to: NodeID?, author: String)
    case backendRegistered(BackendKey, id: String)
    case backendDeregistered(BackendKey, id: String)
    /// Its time ran out without a renewal.
    case registrationExpired(BackendKey, id: String)
    /// From then on this node holds it, as long as the leader lets it.
    case addressLent(IPAddress, to: NodeID)
    /// It is the leader's again.
    case addressReturned(IPAddress)
    case scalingDecided(String, desired: Int, number: UInt64)
    case scalingHookEnded(String, number: UInt64, ScalingHookResult)

    /// A name for programs, which does not change.
    package var kind: String {
        switch self {
        case .leaderElected: "leader-elected"
        case .virtualAddressesTaken: "virtual-addresses-taken"
        case .virtualAddressesReleased: "virtual-addresses-released"
        case .configurationApplied: "configuration-applied"
        case .backendModeChanged: "backend-mode-changed"
        case .backendHealthChanged: "backend-health-changed"
        case .memberDescribed: "member-described"
        case .memberAdded: "member-added"
        case .memberPromoted: "member-promoted"
        case .memberRemoved: "member-removed"
        case .memberDrained: "member-drained"
        case .memberUndrained: "member-undrained"
        case .leadershipMoveWanted: "leadership-move-wanted"
        case .backendRegistered: "backend-registered"
        case .backendDeregistered: "backend-deregistered"
        case .registrationExpired: "registration-expired"
        case .addressLent: "virtual-address-lent"
        case .addressReturned: "virtual-address-returned"
        case .scalingDecided: "scaling-decided"
        case .scalingHookEnded(_, _, let result): result.hasSucceeded ? "scaling-hook-ended" : "scaling-hook-failed"
        }
    }

    package var description: String {
        switch self {
        case .leaderElected(let node, let term): "node \(node) elected leader of term \(term)"
        case .virtualAddressesTaken(let node, let term): "node \(node) took the virtual addresses in term \(term)"
        case .virtualAddressesReleased(let term): "the virtual addresses were released in term \(term)"
        case .configurationApplied(let revision, let author): "configuration \(revision) applied by \(author)"
        case .backendModeChanged(let backend, let mode, let author): "backend \(backend) \(mode.rawValue) by \(author)"
        case .backendHealthChanged(let backend, let verdict):
            "backend \(backend) \(verdict.status.rawValue): \(verdict.reason)"
        case .memberDescribed(let node, let name, let version): "node \(node) is \(name), version \(version)"
        case .memberAdded(let node, let name, let author): "node \(node) (\(name)) added by \(author)"
        case .memberPromoted(let node, let author): "a vote for node \(node) wanted by \(author)"
        case .memberRemoved(let node, let author): "node \(node) removed by \(author)"
        case .memberDrained(let node, let author): "node \(node) drained by \(author)"
        case .memberUndrained(let node, let author): "node \(node) let lead again by \(author)"
        case .backendRegistered(let backend, let id): "backend \(backend) registered itself as \(id)"
        case .backendDeregistered(let backend, let id): "backend \(backend), registered as \(id), took itself off"
        case .registrationExpired(let backend, let id):
            "backend \(backend), registered as \(id), was not heard of in time"
        case .addressLent(let address, let node): "virtual address \(address) goes to node \(node)"
        case .addressReturned(let address): "virtual address \(address) goes back to the leader"
        case .scalingDecided(let upstream, let desired, let number):
            "upstream \(upstream) asks for \(desired) backends, decision \(number)"
        case .scalingHookEnded(let upstream, let number, let result):
            "the hook for decision \(number) of upstream \(upstream): \(result.text)"
        case .leadershipMoveWanted(let node, let author):
            "leadership \(node.map { "of node \($0)" } ?? "of another node") wanted by \(author)"
        }
    }
}
