import Posix
import Raft

/// A change to the replicated state. Stamps are the proposer's calendar time and decide nothing.
package enum Command: Hashable, Sendable {
    case applyConfiguration(ConfigurationChange)
    case setBackendMode(BackendModeChange)
    case reportHealth(HealthReportChange)
    case leaderElected(LeaderRecord)
    case virtualAddressesMoved(VirtualAddressRecord)
    case describeMember(MemberRecord, at: WallTime)
    /// Withdraws everything that these nodes reported about health, because they are gone.
    case forgetReports(of: [NodeID], at: WallTime)
    case changeMember(MemberChange)
    /// Withdraws all that is kept of removed members once Raft has none of them.
    case forgetMembers([NodeID], at: WallTime)
    /// Acted on by the leader of the term in which it was appended, and by none later.
    case moveLeadership(LeadershipMove)
    case register(RegistrationChange)
    case deregister(RegistrationRemoval)
    /// Withdraws those with these serials, which were not renewed in time.
    case expireRegistrations([UInt64], at: WallTime)
    /// From now on session tickets are made with this key.
    case rotateTicketKeys(TicketKeyring.Entry)
    case decideScaling(ScalingDecision)
    case acknowledgeScaling(ScalingAcknowledgement)
    case changeLoan(LoanChange)

    /// Upper limits on what one command carries; a longer one is refused as unreadable.
    package enum Limit {
        package static let sourceBytes = JSON5Parser.Limit.bytes
        /// More than a source of `sourceBytes` can name.
        package static let backends = 100_000
        package static let nameBytes = 256
        package static let addressBytes = 512
        package static let reasonBytes = 256
        package static let healthChanges = 10_000
        package static let nodes = 64
    }
}

/// A new gateway configuration, read and validated in full by the node that proposes it.
///
/// What the state machine has to know of it comes along, so that applying needs no parser: nodes of different
/// versions can not come to different states.
package struct ConfigurationChange: Hashable, Sendable {
    /// The JSON5 text as the operator wrote it, comments included.
    package var source: String
    /// Every backend of `source`.
    package var backends: [BackendKey]
    /// The virtual addresses of `source`.
    package var virtualAddresses: [IPAddress]
    /// Whether they are spread over the nodes.
    package var spreadsAddresses: Bool
    /// The revision that this change replaces; nil replaces any. `Revision.none`: only if there is none yet.
    package var expectedRevision: Revision?
    /// Who asked for it, for the history; cut off at `Command.Limit.nameBytes`.
    package var author: String
    package var at: WallTime

    package init(
        source: String, backends: [BackendKey], virtualAddresses: [IPAddress], spreadsAddresses: Bool = false,
        expectedRevision: Revision?, author: String, at: WallTime
    ) {
        self.source = source
        self.backends = backends
        self.virtualAddresses = virtualAddresses
        self.spreadsAddresses = spreadsAddresses
        self.expectedRevision = expectedRevision
        self.author = author.cutOff(atBytes: Command.Limit.nameBytes)
        self.at = at
    }

    /// The change to `configuration`, which was read from `source`.
    package init(
        source: String, configuration: GatewayConfiguration, expectedRevision: Revision?, author: String, at: WallTime
    ) {
        self.init(
            source: source, backends: configuration.backendKeys, virtualAddresses: configuration.virtualAddresses,
            spreadsAddresses: configuration.spreadsAddresses, expectedRevision: expectedRevision, author: author, at: at
        )
    }
}

package struct BackendModeChange: Hashable, Sendable {
    package var backend: BackendKey
    package var mode: BackendMode
    package var author: String
    package var at: WallTime

    package init(backend: BackendKey, mode: BackendMode, author: String, at: WallTime) {
        self.backend = backend
        self.mode = mode
        self.author = author.cutOff(atBytes: Command.Limit.nameBytes)
        self.at = at
    }
}

/// What changed in one node's own judgement; a status of `unknown` withdraws the earlier report.
package struct HealthReportChange: Hashable, Sendable {
    package struct Change: Hashable, Sendable {
        package var backend: BackendKey
        package var verdict: HealthVerdict

        package init(_ backend: BackendKey, _ verdict: HealthVerdict) {
            self.backend = backend
            self.verdict = verdict
        }
    }

    package var node: NodeID
    package var changes: [Change]
    package var at: WallTime

    package init(node: NodeID, changes: [Change], at: WallTime) {
        self.node = node
        self.changes = changes
        self.at = at
    }
}

/// The leader of a term, as it said itself.
package struct LeaderRecord: Hashable, Sendable {
    package var node: NodeID
    package var term: Term
    package var at: WallTime

    package init(node: NodeID, term: Term, at: WallTime) {
        self.node = node
        self.term = term
        self.at = at
    }
}

/// Who holds the virtual addresses, as the holder said itself. The lease decides, this record only tells.
package struct VirtualAddressRecord: Hashable, Sendable {
    /// nil: given back.
    package var holder: NodeID?
    package var term: Term
    package var at: WallTime

    package init(holder: NodeID?, term: Term, at: WallTime) {
        self.holder = holder
        self.term = term
        self.at = at
    }
}

/// What a node says of itself.
package struct MemberRecord: Hashable, Sendable {
    package var id: NodeID
    package var name: String
    package var raft: String
    package var admin: String
    package var version: String

    package init(id: NodeID, name: String, raft: String, admin: String, version: String) {
        self.id = id
        self.name = name
        self.raft = raft
        self.admin = admin
        self.version = version
    }
}

extension String {
    /// The longest beginning that fits, in whole scalars: a text for people must not make a command unreadable.
    func cutOff(atBytes limit: Int) -> String {
        if utf8.count <= limit { return self }
        var end = utf8.index(startIndex, offsetBy: limit)
        while end > startIndex, end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}

extension GatewayConfiguration {
    /// Every backend of every upstream, sorted.
    package var backendKeys: [BackendKey] {
        upstreams.flatMap { upstream in
            upstream.backends.map { BackendKey(upstream: upstream.name, address: $0.address) }
        }.sorted()
    }
}
