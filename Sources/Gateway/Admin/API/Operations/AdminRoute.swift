import FoundationEssentials
import Posix
import Raft

/// What a request to the admin API asks for, with every value read.
package enum AdminRoute: Hashable, Sendable {
    case dashboard
    case live
    case ready
    case metrics
    case document
    case version
    case node
    case upgrade
    case status(AdminServices.Consistency)
    case health(AdminServices.Consistency)
    /// The one in force unless a revision is given.
    case readConfiguration(Revision?, AdminServices.Consistency)
    case history(AdminServices.Consistency)
    /// From the one before to the one in force unless revisions are given.
    case difference(from: Revision?, to: Revision?, AdminServices.Consistency)
    case rollback(to: Revision?, expected: Revision?)
    case validate(ConfigurationUpload)
    case apply(ConfigurationUpload)
    /// All of them unless one is named.
    case upstreams(named: String?, AdminServices.Consistency)
    case backends(AdminServices.Consistency)
    case setMode(BackendKey, BackendMode)
    /// A change of the configuration's text, of the expected revision if there is one.
    case editBackend(BackendEdit, expected: Revision?)
    case registrations(of: String, AdminServices.Consistency)
    case register(RegistrationKey, Registration)
    case deregister(RegistrationKey)
    /// Those with a higher number.
    case events(after: UInt64, AdminServices.Consistency)
    case liveDocument
    case stream(LiveSubscription)
    case members(AdminServices.Consistency)
    case changeMember(MemberChange.Wish)
    case leader(AdminServices.Consistency)
    case moveLeadership(to: NodeID?)
    case readKey(KeyName, AdminServices.Consistency)
    case listKeys(prefix: String, AdminServices.Consistency)
    case changeKey(KeyName, value: [UInt8]?, KeyChange.Condition)
    case snapshot(AdminServices.Consistency)

    /// Finds the route, or the answer that refuses the request. `names` are host names under which the API may be
    /// reached; `token` is what clients have to show.
    package static func find(
        _ request: AdminRequest, names: Set<String>, token: AdminToken? = nil
    ) throws(Refused) -> AdminRoute {
        if let refusal = BrowserGuard.refusal(of: request.fields, names: names) { throw Refused(response: refusal) }
        let (operation, parameters) = try AdminOperation.find(request)
        if let token, !operation.isOpen, !token.isShown(by: request.fields.authorization) {
            var response = AdminResponse.problem(
                401, "the request does not show this cluster's token",
                right: "send it as Authorization: Bearer TOKEN; gwnode takes --token-file and GWNODE_TOKEN_FILE")
            response.challenge = "Bearer realm=\"gwnode\""
            throw Refused(response: response)
        }
        return try read(operation, request, PathParameters(values: parameters))
    }

    private static func read(
        _ operation: AdminOperation, _ request: AdminRequest, _ path: PathParameters
    ) throws(Refused) -> AdminRoute {
        switch operation {
        case .getDashboard: .dashboard
        case .getLiveness: .live
        case .getReadiness: .ready
        case .getMetrics: .metrics
        case .getDocument: .document
        case .getVersion: .version
        case .getNode: .node
        case .upgradeNode: .upgrade
        case .getStatus: .status(try consistency(request))
        case .getHealth: .health(try consistency(request))
        case .getConfiguration:
            .readConfiguration(try revision(in: request, "revision"), try consistency(request))
        case .putConfiguration: try upload(request)
        case .getHistory: .history(try consistency(request))
        case .getDifference:
            .difference(
                from: try revision(in: request, "from"), to: try revision(in: request, "to"),
                try consistency(request))
        case .rollBack: .rollback(to: try wantedRevision(request), expected: try expectedRevision(request))
        case .listUpstreams: .upstreams(named: nil, try consistency(request))
        case .getUpstream: .upstreams(named: path["upstream"], try consistency(request))
        case .listBackends: .backends(try consistency(request))
        case .setBackendMode: try modeChange(request, path)
        case .putBackend:
            .editBackend(try addition(request, path), expected: try expectedRevision(request))
        case .removeBackend:
            .editBackend(.remove(try path.backend()), expected: try expectedRevision(request))
        case .listRegistrations: .registrations(of: path["upstream"], try consistency(request))
        case .putRegistration: .register(try path.registration(), try registration(request))
        case .deleteRegistration: .deregister(try path.registration())
        case .listMembers: .members(try consistency(request))
        case .addMember: .changeMember(try addition(request, of: try path.node()))
        case .removeMember: .changeMember(.remove(try path.node()))
        case .promoteMember: .changeMember(.promote(try path.node()))
        case .drainMember: .changeMember(.drain(try path.node()))
        case .undrainMember: .changeMember(.undrain(try path.node()))
        case .getLeader: .leader(try consistency(request))
        case .transferLeadership: .moveLeadership(to: try target(request))
        case .listEvents: .events(after: try sequence(request), try consistency(request))
        case .getSnapshot: .snapshot(try consistency(request))
        case .getLive: .liveDocument
        case .watch: .stream(try subscription(request))
        case .listKeys: .listKeys(prefix: try prefix(request), try consistency(request))
        case .getKey: .readKey(try path.key(), try consistency(request))
        case .putKey: try keyChange(request, try path.key())
        case .deleteKey: .changeKey(try path.key(), value: nil, try condition(request.fields))
        }
    }

    /// The answer to a request that is not served.
    package struct Refused: Error {
        package let response: AdminResponse
    }

    static func refused(_ status: UInt16, _ wrong: String, _ right: String) -> Refused {
        Refused(response: .problem(status, wrong, right: right))
    }

    /// The values of the parameters in the path that the operation declares.
    struct PathParameters {
        let values: [String: String]

        subscript(_ name: String) -> String {
            guard let value = values[name] else { preconditionFailure("the path has no parameter \(name)") }
            return value
        }
    }

    /// `?stale`, `?stale=true`.
    static func consistency(_ request: AdminRequest) throws(Refused) -> AdminServices.Consistency {
        switch request.query["stale"] {
        case nil, "false": return .linearizable
        case "", "true": return .stale
        case _: throw refused(400, "the parameter stale is not understood", "leave it out, or say true or false")
        }
    }

    /// The body as a document; `form` shows what it should be.
    static func document<Document: Decodable>(
        _ type: Document.Type, in request: AdminRequest, form: String
    ) throws(Refused) -> Document {
        guard let document = try? JSONDecoder().decode(type, from: Data(request.body)) else {
            throw refused(400, "the body is not understood", "send JSON as in \(form)")
        }
        return document
    }

    private static func sequence(_ request: AdminRequest) throws(Refused) -> UInt64 {
        try number(ofEvent: request.query["after"], "the parameter after") ?? 0
    }

    private static func number(ofEvent text: String?, _ place: String) throws(Refused) -> UInt64? {
        guard let text else { return nil }
        guard let revision = Revision(parsing: text) else {
            throw refused(400, "\(place) is no number", "give the sequence number of an event")
        }
        return revision.number
    }

    /// `?only=status,event`, and the field that a browser sends when it comes back.
    private static func subscription(_ request: AdminRequest) throws(Refused) -> LiveSubscription {
        var subscription = LiveSubscription()
        let asked = try number(ofEvent: request.query["after"], "the parameter after")
        let seen = try number(ofEvent: request.fields.lastEventID, "Last-Event-ID")
        subscription.after = asked ?? seen
        guard let only = request.query["only"] else { return subscription }
        subscription.topics = []
        for word in only.split(separator: ",") {
            guard let topic = LiveSubscription.Topic(rawValue: String(word)) else {
                let topics = LiveSubscription.Topic.allCases.map(\.rawValue).joined(separator: ", ")
                throw refused(400, "there is no kind of message \(word)", "use some of \(topics)")
            }
            subscription.topics.insert(topic)
        }
        return subscription
    }

    /// RFC 9110, section 13.1.1, for the one strong entity tag that a revision is.
    static func number(ifMatch tag: String) throws(Refused) -> UInt64 {
        guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\""),
            let revision = Revision(parsing: tag.dropFirst().dropLast())
        else { throw refused(400, "If-Match is no revision", "send one as in \"3\", with its quotes, or *") }
        return revision.number
    }
}

extension Revision {
    /// Parses decimal digits, without a sign.
    package init?(parsing text: some StringProtocol) {
        guard text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = UInt64(text) else {
            return nil
        }
        self.init(number)
    }
}
