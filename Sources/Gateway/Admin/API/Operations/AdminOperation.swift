/// One thing that a client can ask of the admin API. Requests are routed by these and the OpenAPI document lists
/// them, so that the two can not differ. The raw value is the `operationId`.
package enum AdminOperation: String, CaseIterable, Sendable {
    case getDashboard, getLiveness, getReadiness, getMetrics, getDocument, getVersion, getNode, upgradeNode, getStatus,
        getHealth
    case getConfiguration, putConfiguration, getHistory, getDifference, rollBack
    case listUpstreams, getUpstream, listBackends, setBackendMode, putBackend, removeBackend
    case listRegistrations, putRegistration, deleteRegistration
    case listMembers, addMember, removeMember, promoteMember, drainMember, undrainMember, getLeader, transferLeadership
    case listEvents, getSnapshot, getLive, watch
    case listKeys, getKey, putKey, deleteKey

    package var endpoint: AdminEndpoint {
        switch self {
        case .getDashboard: .init(.get, "/")
        case .getLiveness: .init(.get, "/livez")
        case .getReadiness: .init(.get, "/readyz")
        case .getMetrics: .init(.get, "/metrics")
        case .getDocument: .init(.get, "/v1/openapi.json")
        case .getVersion: .init(.get, "/v1/version")
        case .getNode: .init(.get, "/v1/node")
        case .upgradeNode: .init(.post, "/v1/node/upgrade")
        case .getStatus: .init(.get, "/v1/status")
        case .getHealth: .init(.get, "/v1/health")
        case .getConfiguration: .init(.get, "/v1/config")
        case .putConfiguration: .init(.put, "/v1/config")
        case .getHistory: .init(.get, "/v1/config/history")
        case .getDifference: .init(.get, "/v1/config/diff")
        case .rollBack: .init(.post, "/v1/config/rollback")
        case .listUpstreams: .init(.get, "/v1/upstreams")
        case .getUpstream: .init(.get, "/v1/upstreams/{upstream}")
        case .listBackends: .init(.get, "/v1/backends")
        case .setBackendMode: .init(.put, "/v1/backends/{upstream}/{address}")
        case .putBackend: .init(.put, "/v1/upstreams/{upstream}/backends/{address}")
        case .removeBackend: .init(.delete, "/v1/upstreams/{upstream}/backends/{address}")
        case .listRegistrations: .init(.get, "/v1/upstreams/{upstream}/registrations")
        case .putRegistration: .init(.put, "/v1/upstreams/{upstream}/registrations/{name}")
        case .deleteRegistration: .init(.delete, "/v1/upstreams/{upstream}/registrations/{name}")
        case .listMembers: .init(.get, "/v1/members")
        case .addMember: .init(.put, "/v1/members/{id}")
        case .removeMember: .init(.delete, "/v1/members/{id}")
        case .promoteMember: .init(.put, "/v1/members/{id}/vote")
        case .drainMember: .init(.put, "/v1/members/{id}/drain")
        case .undrainMember: .init(.delete, "/v1/members/{id}/drain")
        case .getLeader: .init(.get, "/v1/leader")
        case .transferLeadership: .init(.post, "/v1/leader/transfer")
        case .listEvents: .init(.get, "/v1/events")
        case .getSnapshot: .init(.get, "/v1/snapshot")
        case .getLive: .init(.get, "/v1/live")
        case .watch: .init(.get, "/v1/stream")
        case .listKeys: .init(.get, "/v1/keys")
        case .getKey: .init(.get, "/v1/keys/{key...}")
        case .putKey: .init(.put, "/v1/keys/{key...}")
        case .deleteKey: .init(.delete, "/v1/keys/{key...}")
        }
    }

    /// Served without a token: what says nothing of the cluster, for those who only watch over the process, and the page
    /// that asks people for the token.
    package var isOpen: Bool { self == .getDashboard || self == .getLiveness || self == .getReadiness }

    /// Finds what a request asks for and the parameters in its path, or the answer that refuses it.
    package static func find(
        _ request: AdminRequest
    ) throws(AdminRoute.Refused) -> (operation: AdminOperation, parameters: [String: String]) {
        var methods: [HTTPMethod] = []
        for (operation, endpoint) in table {
            guard let parameters = endpoint.parameters(of: request.path) else { continue }
            if endpoint.takes(request.method) { return (operation, parameters) }
            methods += endpoint.method == .get ? [.get, .head] : [endpoint.method]
        }
        if methods.isEmpty {
            throw AdminRoute.refused(404, "there is no such resource", "GET /v1/openapi.json lists all there are")
        }
        let allowed = methods.map { "\($0)".uppercased() }.joined(separator: ", ")
        var response = AdminResponse.problem(405, "this resource has no such method", right: "it has \(allowed)")
        response.allow = allowed
        throw AdminRoute.Refused(response: response)
    }

    private static let table = allCases.map { ($0, $0.endpoint) }
}

/// A method on a path with parameters in braces.
package struct AdminEndpoint: Sendable {
    private enum Segment: Sendable {
        case literal(String)
        case parameter(String)
        /// Written `{name...}`: this segment and all after it, with their slashes.
        case rest(String)
    }

    package let method: HTTPMethod
    /// As OpenAPI writes it.
    package let template: String
    private let segments: [Segment]

    init(_ method: HTTPMethod, _ path: String) {
        self.method = method
        template = path.replacing("...}", with: "}")
        segments = path.split(separator: "/").map { part in
            guard part.hasPrefix("{") else { return .literal(String(part)) }
            return part.hasSuffix("...}")
                ? .rest(String(part.dropFirst().dropLast(4))) : .parameter(String(part.dropFirst().dropLast()))
        }
    }

    /// HEAD is served wherever GET is.
    package func takes(_ method: HTTPMethod) -> Bool {
        method == self.method || (method == .head && self.method == .get)
    }

    /// The parameters' values when `path` is this one.
    package func parameters(of path: [String]) -> [String: String]? {
        guard path.count >= segments.count else { return nil }
        var values: [String: String] = [:]
        for (index, segment) in segments.enumerated() {
            switch segment {
            case .literal(let text): if path[index] != text { return nil }
            case .parameter(let name): values[name] = path[index]
            case .rest(let name):
                values[name] = path[index...].joined(separator: "/")
                return values
            }
        }
        return path.count == segments.count ? values : nil
    }
}
