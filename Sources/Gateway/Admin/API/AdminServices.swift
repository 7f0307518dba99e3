import Posix
import Raft

/// What the admin API needs of the node. All calls come from the control thread and return at once; what takes
/// agreement of the cluster completes later, exactly once, on any thread.
package struct AdminServices: Sendable {
    package var status: @Sendable (Consistency, @escaping Completion<StatusDocument>) -> Void
    package var node: @Sendable () -> NodeDocument
    /// Nil when the node can serve clients, else why not.
    package var unreadiness: @Sendable () -> String?
    package var metrics: @Sendable () -> NodeMetrics
    package var live: @Sendable () -> LiveView
    package var readState: @Sendable (Consistency, @escaping Completion<ClusterState>) -> Void
    /// Reads a configuration's text; the lines are the validator's, none when it is good.
    package var validate: @Sendable (_ source: String, _ name: String) -> [String]
    package var apply: @Sendable (ConfigurationUpload, @escaping Completion<Revision>) -> Void
    package var setMode: @Sendable (BackendKey, BackendMode, _ author: String, @escaping Completion<Void>) -> Void
    /// Completes when the cluster has agreed on the wish, not when it is fulfilled.
    package var changeMember: @Sendable (MemberChange, @escaping Completion<Void>) -> Void
    package var moveLeadership: @Sendable (LeadershipMove, @escaping Completion<Void>) -> Void
    /// Lets the installed program take the place of this process; completes when it has, or could not.
    package var upgrade: @Sendable (@escaping Completion<UpgradeDocument>) -> Void
    package var keys: Keys
    package var registrations: Registering
    /// All that the nodes agree on, for a backup.
    package var snapshot: @Sendable (Consistency, @escaping Completion<SnapshotArchive>) -> Void
    /// All requests that had arrived have been handed over: what of them was held back to be done together is begun.
    package var begin: @Sendable () -> Void

    /// Backends that register themselves.
    package struct Registering: Sendable {
        /// Completes with whether it was there already and is renewed.
        package var put: @Sendable (RegistrationKey, Registration, @escaping Completion<Bool>) -> Void
        package var remove: @Sendable (RegistrationKey, @escaping Completion<Void>) -> Void

        package init(
            put: @escaping @Sendable (RegistrationKey, Registration, @escaping Completion<Bool>) -> Void,
            remove: @escaping @Sendable (RegistrationKey, @escaping Completion<Void>) -> Void
        ) {
            self.put = put
            self.remove = remove
        }
    }

    /// The key space beside the configuration.
    package struct Keys: Sendable {
        /// Nil when there is no such key.
        package var read: @Sendable (KeyName, Consistency, @escaping Completion<KeyRecord?>) -> Void
        /// The keys that begin with a prefix.
        package var list: @Sendable (_ prefix: String, Consistency, @escaping Completion<KeyListing>) -> Void
        /// Completes with the revision that the change is, nil where there was no key to delete.
        package var change: @Sendable (KeyChange, @escaping Completion<KeyRevision?>) -> Void

        package init(
            read: @escaping @Sendable (KeyName, Consistency, @escaping Completion<KeyRecord?>) -> Void,
            list: @escaping @Sendable (_ prefix: String, Consistency, @escaping Completion<KeyListing>) -> Void,
            change: @escaping @Sendable (KeyChange, @escaping Completion<KeyRevision?>) -> Void
        ) {
            self.read = read
            self.list = list
            self.change = change
        }
    }

    package typealias Completion<Value> = @Sendable (Result<Value, AdminFailure>) -> Void

    package enum Consistency: Hashable, Sendable {
        /// At least as new as every change acknowledged before the request.
        case linearizable
        /// What this node has, which may be old.
        case stale
    }

    package init(
        status: @escaping @Sendable (Consistency, @escaping Completion<StatusDocument>) -> Void,
        node: @escaping @Sendable () -> NodeDocument,
        unreadiness: @escaping @Sendable () -> String?,
        metrics: @escaping @Sendable () -> NodeMetrics,
        live: @escaping @Sendable () -> LiveView,
        readState: @escaping @Sendable (Consistency, @escaping Completion<ClusterState>) -> Void,
        validate: @escaping @Sendable (_ source: String, _ name: String) -> [String],
        apply: @escaping @Sendable (ConfigurationUpload, @escaping Completion<Revision>) -> Void,
        setMode: @escaping @Sendable (BackendKey, BackendMode, String, @escaping Completion<Void>) -> Void,
        changeMember: @escaping @Sendable (MemberChange, @escaping Completion<Void>) -> Void,
        moveLeadership: @escaping @Sendable (LeadershipMove, @escaping Completion<Void>) -> Void,
        upgrade: @escaping @Sendable (@escaping Completion<UpgradeDocument>) -> Void,
        keys: Keys, registrations: Registering,
        snapshot: @escaping @Sendable (Consistency, @escaping Completion<SnapshotArchive>) -> Void,
        begin: @escaping @Sendable () -> Void
    ) {
        self.status = status
        self.node = node
        self.unreadiness = unreadiness
        self.metrics = metrics
        self.live = live
        self.readState = readState
        self.validate = validate
        self.apply = apply
        self.setMode = setMode
        self.changeMember = changeMember
        self.moveLeadership = moveLeadership
        self.upgrade = upgrade
        self.keys = keys
        self.registrations = registrations
        self.snapshot = snapshot
        self.begin = begin
    }
}

/// A configuration that someone wants to be in force.
package struct ConfigurationUpload: Hashable, Sendable {
    package var source: String
    /// The file's name for the validator's lines.
    package var name: String
    /// The revision that it replaces, nil for any.
    package var expectedRevision: Revision?
    package var author: String

    package init(source: String, name: String, expectedRevision: Revision? = nil, author: String) {
        self.source = source
        self.name = name
        self.expectedRevision = expectedRevision
        self.author = author
    }
}

/// Why the cluster did not do what was asked.
package enum AdminFailure: Error, Hashable, Sendable {
    /// The validator's lines.
    case invalid([String])
    case refused(Refusal)
    /// The node is upgraded no more than it was, and why.
    case upgrade(String)
    /// Nothing was changed; trying again later can help.
    case unavailable(String)
    /// The change may still take effect.
    case timedOut
}

/// The answer of `GET /v1/node`.
package struct NodeDocument: Codable, Hashable, Sendable {
    package var id: UInt64
    package var name: String
    package var cluster: String
    package var pid: Int32
    package var version: String
    package var startedAt: String

    package init(id: UInt64, name: String, cluster: String, pid: Int32, version: String, startedAt: String) {
        self.id = id
        self.name = name
        self.cluster = cluster
        self.pid = pid
        self.version = version
        self.startedAt = startedAt
    }
}

/// The answer of `POST /v1/node/upgrade`.
package struct UpgradeDocument: Codable, Hashable, Sendable {
    /// The version that ran before.
    package var from: String
    /// The version that runs now.
    package var to: String
    /// Of the process that has taken over.
    package var pid: Int32
    /// Between the last moment at which the former process took part in consensus and the first at which the new one did
    /// and served.
    package var pauseMilliseconds: Double
    /// Connections of clients that rested, or came to, and went on in the new process.
    package var connectionsHandedOver: Int
    /// Connections that the former process serves to their end.
    package var connectionsLeft: Int

    package init(
        from: String, to: String, pid: Int32, pauseMilliseconds: Double, connectionsHandedOver: Int,
        connectionsLeft: Int
    ) {
        self.from = from
        self.to = to
        self.pid = pid
        self.pauseMilliseconds = pauseMilliseconds
        self.connectionsHandedOver = connectionsHandedOver
        self.connectionsLeft = connectionsLeft
    }
}

/// The answer of `GET /v1/version`.
package struct VersionDocument: Codable, Hashable, Sendable {
    package var version: String
    /// The first part of the API's paths.
    package var api: String

    init(_ node: NodeDocument) {
        version = node.version
        api = "v1"
    }
}

/// The answer of `PUT /v1/config`.
package struct RevisionDocument: Codable, Hashable, Sendable {
    /// The revision now in force; null when the text was only validated.
    @NullIfAbsent package var revision: UInt64?
}

/// The body of `PUT /v1/backends/{upstream}/{address}`, and its answer.
package struct BackendModeDocument: Codable, Hashable, Sendable {
    package var mode: BackendMode

    package init(mode: BackendMode) { self.mode = mode }
}

/// The body of `PUT /v1/upstreams/{upstream}/backends/{address}`.
package struct BackendWeightDocument: Codable, Hashable, Sendable, DescribedDocument {
    /// As it is, or 1 for a new backend, unless given.
    package var weight: Int?

    package init(weight: Int?) { self.weight = weight }

    static var properties: [String: [String: JSONValue]] {
        [
            "weight": [
                "minimum": .integer(BackendEdit.weights.lowerBound),
                "maximum": .integer(BackendEdit.weights.upperBound),
            ]
        ]
    }
}

/// The answer of `GET /v1/backends` and `GET /v1/upstreams`.
package struct BackendsDocument: Codable, Hashable, Sendable {
    package var upstreams: [StatusDocument.Upstream]

    package init(upstreams: [StatusDocument.Upstream]) { self.upstreams = upstreams }
}
