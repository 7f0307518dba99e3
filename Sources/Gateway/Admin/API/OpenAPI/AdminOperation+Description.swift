extension AdminOperation {
    var description: OperationDescription {
        switch self {
        case .getDashboard:
            .init(tag: .node, summary: "The dashboard, a page for people.", answer: .text("text/html; charset=utf-8"))
        case .getLiveness: .init(tag: .node, summary: "Whether the process answers at all.", answer: .text())
        case .getReadiness:
            .init(
                tag: .node, summary: "Whether the node serves clients and is not drained.", answer: .text(),
                problems: [503])
        case .getMetrics:
            .init(
                tag: .node, summary: "The node's metrics, for Prometheus.",
                answer: .text("text/plain; version=0.0.4; charset=utf-8"))
        case .getDocument:
            .init(
                tag: .node, summary: "This document.",
                answer: .init(schema: ["type": "object", "required": ["openapi", "info", "paths"]]))
        case .getVersion: .init(tag: .node, summary: "The node's version.", answer: .document(VersionDocument.self))
        case .getNode: .init(tag: .node, summary: "Who the asked node is.", answer: .document(NodeDocument.self))
        case .upgradeNode:
            .init(
                tag: .node,
                summary: "Starts the program that was installed in place of the running one, which takes over. Answers "
                    + "when it has.",
                answer: .document(UpgradeDocument.self), problems: [409, 503])
        case .getStatus: .reading(.cluster, "All about nodes, addresses and backends.", StatusDocument.self)
        case .getHealth: .reading(.cluster, "Whether all is well, and what is not.", HealthDocument.self)
        case .getLeader: .reading(.cluster, "Who leads.", LeaderDocument.self)
        case .transferLeadership:
            .init(
                tag: .cluster, summary: "Hands leadership, and the virtual addresses with it, to another voter.",
                body: .document(LeadershipMoveDocument.self, isRequired: false),
                answer: .document(WishDocument.self, status: 202), problems: OperationDescription.writing + [409])
        case .listEvents:
            .reading(
                .cluster, "The last things that happened, oldest first.", EventsDocument.self,
                [.query("after", "Only those with a higher sequence number.", OperationDescription.Parameter.number)])
        case .getSnapshot:
            .init(
                tag: .cluster, summary: "All that the nodes agree on, as a file for `gwnode snapshot restore`.",
                parameters: [.stale], answer: .text("application/octet-stream"),
                problems: OperationDescription.reading)
        case .getLive:
            .init(
                tag: .cluster, summary: "Rates and latencies of the last second, by node and upstream.",
                answer: .document(LiveDocument.self))
        case .watch: .watch
        case .getConfiguration: .configuration
        case .putConfiguration: .upload
        case .getHistory: .reading(.configuration, "The revisions that are kept.", HistoryDocument.self)
        case .getDifference: .difference
        case .rollBack:
            .init(
                tag: .configuration, summary: "Puts the text of an earlier revision in force, as a new one.",
                parameters: [.ifMatch], body: .document(RollbackDocument.self, isRequired: false),
                answer: .document(RestoredDocument.self), problems: OperationDescription.writing + [404, 412, 422])
        case .listUpstreams, .listBackends:
            .reading(.upstreams, "All upstreams and their backends.", BackendsDocument.self)
        case .getUpstream:
            .reading(
                .upstreams, "One upstream and its backends.", StatusDocument.Upstream.self, [.upstream],
                problems: [404])
        case .setBackendMode:
            .init(
                tag: .upstreams, summary: "Enables, drains or disables a backend.",
                parameters: [.upstream, .address], body: .document(BackendModeDocument.self),
                answer: .document(BackendModeDocument.self), problems: OperationDescription.writing + [404])
        case .putBackend:
            .backendEdit(
                "Adds a backend to the configuration, or changes its weight. Every other byte of the text stays.",
                body: .document(BackendWeightDocument.self, isRequired: false))
        case .removeBackend: .backendEdit("Removes a backend from the configuration.")
        case .listRegistrations:
            .reading(
                .upstreams, "The backends that registered themselves.", RegistrationsDocument.self, [.upstream],
                problems: [404])
        case .putRegistration:
            .init(
                tag: .upstreams,
                summary:
                    "Registers a backend, or renews what it said before. Without a renewal it goes after its time.",
                parameters: [.upstream, .registration], body: .document(RegistrationDocument.self),
                answer: .document(RegisteredDocument.self), problems: OperationDescription.writing + [404, 409])
        case .deleteRegistration:
            .init(
                tag: .upstreams, summary: "Takes a registered backend off at once.",
                parameters: [.upstream, .registration], answer: .document(WishDocument.self),
                problems: OperationDescription.writing + [404])
        case .listMembers: .reading(.members, "All members, dead ones too.", MembersDocument.self)
        case .addMember:
            .wish("Adds a node to the running cluster.", body: .document(NewMemberDocument.self))
        case .removeMember: .wish("Removes a node, dead or alive, for good.")
        case .promoteMember: .wish("Gives a learner a vote once it has caught up.")
        case .drainMember:
            .wish("Lets a node neither lead nor hold virtual addresses while another can; it hands over without loss.")
        case .undrainMember: .wish("Lets a drained node lead again.")
        case .listKeys:
            .reading(
                .keys, "The keys that begin with a prefix.", KeysDocument.self,
                [
                    .query(
                        "prefix", "What they begin with.",
                        ["type": "string", "pattern": "^[A-Za-z0-9._/-]*$", "maxLength": 128])
                ])
        case .getKey: .key
        case .putKey:
            .keyChange(
                "Sets a key.",
                [.key, .ifMatch, .ifNoneMatch], body: .bytes(limit: KeySpace.Limit.valueBytes), hasEntityTag: true)
        case .deleteKey: .keyChange("Deletes a key.", [.key, .ifMatch], problems: [404])
        }
    }
}

extension OperationDescription.Body {
    fileprivate static func document(_ type: any Decodable.Type, isRequired: Bool = true) -> Self {
        Self(schema: DocumentSchema.reference(to: type), isRequired: isRequired)
    }

    fileprivate static func bytes(limit: Int) -> Self {
        Self(contentType: "application/octet-stream", schema: ["type": "string", "maxLength": .integer(limit)])
    }
}

extension OperationDescription {
    /// A linearizable read, or a stale one on request.
    fileprivate static func reading(
        _ tag: Tag, _ summary: String, _ type: any Decodable.Type, _ parameters: [Parameter] = [],
        problems: [UInt16] = []
    ) -> Self {
        Self(
            tag: tag, summary: summary, parameters: parameters + [.stale], answer: .document(type),
            problems: reading + problems)
    }

    fileprivate static func backendEdit(_ summary: String, body: Body? = nil) -> Self {
        Self(
            tag: .upstreams, summary: summary, parameters: [.upstream, .address, .ifMatch], body: body,
            answer: .document(RevisionDocument.self), problems: writing + [404, 409, 412, 422])
    }

    /// A wish about a member.
    fileprivate static func wish(_ summary: String, body: Body? = nil) -> Self {
        Self(
            tag: .members, summary: summary, parameters: [.node], body: body,
            answer: .document(WishDocument.self, status: 202), problems: writing + [409])
    }

    fileprivate static let configuration = Self(
        tag: .configuration, summary: "The text of the configuration in force, or of an earlier one.",
        parameters: [.revision("revision", "Which one."), .stale],
        answer: .text("application/json5", hasEntityTag: true), problems: reading + [404])

    fileprivate static let watch = Self(
        tag: .cluster,
        summary: "What happens, as server-sent events without end: hello, history, status, sample, event.",
        parameters: [
            .query("only", "The kinds wanted, separated by commas.", ["type": "string"]),
            .query("after", "Of what has happened, only events with a higher number.", Parameter.number),
            Parameter(
                name: "Last-Event-ID", place: .header, summary: "The same, as browsers send it.",
                schema: Parameter.number),
        ],
        answer: .text("text/event-stream"), problems: [503])

    fileprivate static let upload = Self(
        tag: .configuration, summary: "Puts a configuration in force on the whole cluster, or only checks it.",
        parameters: [
            .query("validate", "Only check it.", ["type": "string", "enum": ["only"]]),
            .query("name", "The file's name, for the lines of problems.", ["type": "string"]), .ifMatch,
        ],
        body: Body(
            contentType: "application/json5",
            schema: ["type": "string", "maxLength": .integer(Command.Limit.sourceBytes)]),
        answer: .document(RevisionDocument.self), problems: writing + [412, 422])

    fileprivate static let difference = Self(
        tag: .configuration, summary: "What a revision has changed, as a unified diff.",
        parameters: [
            .revision("from", "The older one; that before the one in force unless told."),
            .revision("to", "The newer one; that in force unless told."), .stale,
        ], answer: .text(), problems: reading + [404])

    fileprivate static let key = Self(
        tag: .keys, summary: "The value of a key, as it was put there.", parameters: [.key, .stale],
        answer: .text("application/octet-stream", hasEntityTag: true), problems: reading + [404])

    fileprivate static func keyChange(
        _ summary: String, _ parameters: [Parameter], body: Body? = nil, hasEntityTag: Bool = false,
        problems: [UInt16] = []
    ) -> Self {
        Self(
            tag: .keys, summary: summary, parameters: parameters, body: body,
            answer: .document(KeyRevisionDocument.self, hasEntityTag: hasEntityTag),
            problems: writing + problems + [409, 412])
    }
}
