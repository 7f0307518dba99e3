/// The answer of `GET /v1/status` and of `gwnode status --format json`. Its keys are kept from version to version;
/// new ones may be added.
package struct StatusDocument: Codable, Hashable, Sendable {
    package var cluster: String
    package var term: UInt64
    /// The id of the leader that the answering node knows.
    @NullIfAbsent package var leader: UInt64?
    /// Whether the cluster can agree on changes, as far as the answering node can tell.
    package var quorum: Bool
    /// What the answering node had, which may be old: it was asked for that, or no quorum confirmed it.
    package var stale: Bool
    /// Of the gateway configuration; 0 before the first.
    package var revision: UInt64
    package var virtualAddresses: [VirtualAddress]
    package var nodes: [Node]
    package var upstreams: [Upstream]

    package struct VirtualAddress: Codable, Hashable, Sendable {
        package var address: String
        /// The id of the node that answers on it.
        @NullIfAbsent package var holder: UInt64?
    }

    package struct Node: Codable, Hashable, Sendable {
        package var id: UInt64
        package var name: String
        package var member: MemberDirectory.Standing
        /// What is about to change in that: `joining` or `leaving`.
        @NullIfAbsent package var transition: MemberDirectory.Transition?
        /// Whether it shall neither lead nor hold virtual addresses while another node can.
        package var drained: Bool
        package var role: NodeRole
        package var alive: Bool
        /// This and the figures below are the last that the answering node heard, null when it never did.
        @NullIfAbsent package var term: UInt64?
        @NullIfAbsent package var commitIndex: UInt64?
        @NullIfAbsent package var appliedIndex: UInt64?
        /// Entries that the cluster has committed and this node has not applied yet.
        @NullIfAbsent package var trailing: UInt64?
        /// What keeps it from answering on the virtual addresses after its lease: `kernel`, `guard` or `lease`.
        @NullIfAbsent package var fence: String?
        /// The process that keeps the virtual addresses for it, if there is one. An upgrade leaves it as it is, so its version
        /// may be an older one.
        package var `guard`: GuardIdentity?
        /// What moves the bytes of its clients: `io_uring` or `epoll`.
        @NullIfAbsent package var engine: String?
        /// What is wrong with the certificates and keys that it has in files.
        package var problems: [String]
        /// Open connections of clients that changed nodes, since its start.
        @NullIfAbsent package var movedConnections: MovedConnections?
        @NullIfAbsent package var rebuiltConnections: RebuiltConnections?
        package var raft: String
        package var admin: String
        @NullIfAbsent package var pid: Int32?
        @NullIfAbsent package var version: String?
    }

    package struct Upstream: Codable, Hashable, Sendable {
        package var name: String
        package var algorithm: String
        package var backends: [Backend]
        /// Absent while no request waits for room at it.
        package var queue: Queue?
        /// Absent for an upstream whose load asks for no number of backends.
        package var scaling: Scaling?
    }

    /// Requests that wait for others to end.
    package struct Queue: Codable, Hashable, Sendable {
        /// At all nodes that are alive.
        package var waiting: Int
        /// Where they wait, and for which limit.
        package var reason: String
    }

    /// How many backends the load of an upstream asks for.
    package struct Scaling: Codable, Hashable, Sendable {
        package var minimum: Int
        package var maximum: Int
        /// What the cluster has agreed on; null before the first decision.
        @NullIfAbsent package var desired: Int?
        /// The number of the decision, which rises over all upstreams.
        @NullIfAbsent package var decision: UInt64?
        @NullIfAbsent package var decidedAt: String?
        /// What came of the hook for this decision; null while it has not run.
        @NullIfAbsent package var hook: String?
    }

    package struct Backend: Codable, Hashable, Sendable {
        package var address: String
        package var weight: Int
        /// `enabled`, `draining` or `disabled`.
        package var mode: String
        package var healthy: Bool
        /// Requests under way at this backend, of all nodes that are alive.
        package var activeRequests: Int
        /// Why it is healthy or not.
        package var reason: String
        /// What it registered itself as; absent for a backend of the configuration.
        package var registration: String?
    }
}

/// What a node does, as the API names it.
package enum NodeRole: String, Codable, Hashable, Sendable, CaseIterable {
    case leader
    case follower
    case candidate
    /// Nothing was heard of it for `StatusSources.silenceLimit`.
    case unreachable
}

/// Writes nil as `null`, where the synthesised coding would leave the key out.
@propertyWrapper
package struct NullIfAbsent<Value: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
    package var wrappedValue: Value?

    package init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}
