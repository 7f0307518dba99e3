import Posix
import Raft

/// What the nodes agree on about the gateway: configuration, backends, members, who leads.
///
/// A value type whose `apply` depends on nothing but the state and the command, so equal logs give equal states.
package struct ClusterState: Hashable, Sendable {
    /// The configuration in force; nil until the first one is applied.
    package internal(set) var configuration: ConfigurationRecord?
    /// Configurations that were in force before, oldest first, for rollback.
    package internal(set) var history: [ConfigurationRecord] = []
    /// Exactly the backends of the configuration in force and those that registered themselves.
    package internal(set) var backends: [BackendKey: BackendRecord] = [:]
    package internal(set) var registrations = Registrations()
    package internal(set) var scaling = ScalingRecords()
    package internal(set) var leader: LeaderRecord?
    package internal(set) var virtualAddressHolder: VirtualAddressRecord?
    /// Virtual addresses that are not the leader's own, where they are spread.
    package internal(set) var loans = Loans()
    package internal(set) var members: [NodeID: MemberRecord] = [:]
    package internal(set) var aims: [NodeID: MemberAim] = [:]
    /// Members that shall neither lead nor hold virtual addresses while another can.
    package internal(set) var drained: Set<NodeID> = []
    package internal(set) var ticketKeys = TicketKeyring()
    package internal(set) var journal = Journal()

    package init() {}

    /// Upper limits on what is kept.
    package enum Limit {
        package static let history = 20
        /// Of the texts in the history taken together.
        package static let historyBytes = 4 << 20
        package static let members = 64
        /// Ids that are never used again.
        package static let removedMembers = 4096
        package static let journal = 256
    }

    /// The revision in force, `Revision.none` before the first.
    package var revision: Revision { configuration?.revision ?? .none }

    /// The configuration of a revision, the one in force or one from the history; nil when it is no longer kept.
    package func configuration(at revision: Revision) -> ConfigurationRecord? {
        configuration?.revision == revision ? configuration : history.last { $0.revision == revision }
    }
}

/// A configuration that the cluster agreed on.
package struct ConfigurationRecord: Hashable, Sendable {
    package var revision: Revision
    /// The JSON5 text as the operator wrote it.
    package var source: String
    package var virtualAddresses: [IPAddress]
    /// Whether they are spread over the nodes.
    package var spreadsAddresses: Bool
    package var author: String
    package var at: WallTime

    package init(
        revision: Revision, source: String, virtualAddresses: [IPAddress], spreadsAddresses: Bool = false,
        author: String, at: WallTime
    ) {
        self.revision = revision
        self.source = source
        self.virtualAddresses = virtualAddresses
        self.spreadsAddresses = spreadsAddresses
        self.author = author
        self.at = at
    }
}
