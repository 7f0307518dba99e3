import Posix

/// Answers requests to the admin API by way of the node's services.
package struct AdminHandler: Sendable {
    let services: AdminServices
    private let names: Set<String>
    private let token: AdminToken?

    /// `names` are host names under which clients may reach the API, in lower case. They have to show the token if
    /// there is one.
    package init(services: AdminServices, names: Set<String>, token: AdminToken? = nil) {
        self.services = services
        self.names = names
        self.token = token
    }

    var needsToken: Bool { token != nil }

    /// Calls `respond` exactly once, at once or later and then on another thread.
    package func handle(_ request: AdminRequest, respond: @escaping @Sendable (AdminResponse) -> Void) {
        let respond = { @Sendable (response: AdminResponse) in respond(response.about(request.path)) }
        do throws(AdminRoute.Refused) {
            serve(
                try AdminRoute.find(request, names: names, token: token), author: request.author, respond)
        } catch {
            respond(error.response)
        }
    }

    /// To be called after `handle`, once for all the requests that had arrived.
    package func begin() { services.begin() }

    private func serve(
        _ route: AdminRoute, author: String, _ respond: @escaping @Sendable (AdminResponse) -> Void
    ) {
        switch route {
        case .document: respond(.json(OpenAPIDocument.make(version: services.node().version)))
        case .version: respond(.json(VersionDocument(services.node())))
        case .node: respond(.json(services.node()))
        case .upgrade: services.upgrade { respond(Self.response($0) { .json($0) }) }
        case .status(let consistency): answer(consistency, respond) { .json($0) }
        case .health(let consistency): answer(consistency, respond) { .json(HealthDocument(StatusVerdict($0))) }
        case .leader(let consistency): answer(consistency, respond) { .json(LeaderDocument($0)) }
        case .live: respond(.text("live\n"))
        case .dashboard: respond(.dashboard())
        case .liveDocument: respond(.json(services.live().live))
        case .stream(let subscription): respond(.stream(subscription))
        case .metrics:
            let text = services.metrics().text
            respond(AdminResponse(contentType: "text/plain; version=0.0.4; charset=utf-8", body: Array(text.utf8)))
        case .ready:
            if let reason = services.unreadiness() {
                respond(.problem(503, reason))
            } else {
                respond(.text("ready\n"))
            }
        case .upstreams(nil, let consistency), .backends(let consistency):
            answer(consistency, respond) { .json(BackendsDocument(upstreams: $0.upstreams)) }
        case .upstreams(let name?, let consistency):
            answer(consistency, respond) { .upstream(name, in: $0) }
        case .members(let consistency):
            answer(consistency, respond) { .json(MembersDocument(members: $0.nodes)) }
        case .registrations(let upstream, let consistency):
            listRegistrations(in: upstream, consistency, respond)
        case .register(let key, let registration): register(registration, as: key, respond)
        case .deregister(let key):
            services.registrations.remove(key) { result in
                respond(Self.response(result) { .json(WishDocument(accepted: true)) })
            }
        case .changeMember(let wish):
            services.changeMember(MemberChange(wish, author: author, at: .now())) { respond(Self.response(wish: $0)) }
        case .moveLeadership(let target):
            services.moveLeadership(LeadershipMove(to: target, author: author, at: .now())) {
                respond(Self.response(wish: $0))
            }
        case .readConfiguration(let revision, let consistency):
            services.readState(consistency) { result in
                respond(Self.response(result) { Self.configuration(at: revision, in: $0) })
            }
        case .history(let consistency):
            services.readState(consistency) { result in
                respond(Self.response(result) { .json(HistoryDocument($0)) })
            }
        case .difference(let from, let to, let consistency):
            services.readState(consistency) { result in
                respond(Self.response(result) { Self.difference(from: from, to: to, in: $0) })
            }
        case .rollback(let revision, let expected):
            rollBack(to: revision, expected: expected, author: author, respond)
        case .events(let sequence, let consistency):
            services.readState(consistency) { result in
                respond(Self.response(result) { .json(EventsDocument($0.journal, after: sequence)) })
            }
        case .validate(let upload):
            let problems = services.validate(upload.source, upload.name)
            respond(problems.isEmpty ? .json(RevisionDocument(revision: nil)) : Self.response(.invalid(problems)))
        case .apply(let upload):
            services.apply(upload) { result in
                respond(Self.response(result) { .json(RevisionDocument(revision: $0.number)) })
            }
        case .setMode(let backend, let mode):
            setMode(backend, mode, author: author, respond)
        case .editBackend(let edit, let expected):
            editBackend(edit, expected: expected, author: author, respond)
        case .readKey(let key, let consistency):
            services.keys.read(key, consistency) { result in
                respond(Self.response(result) { .value(of: key, $0) })
            }
        case .listKeys(let prefix, let consistency):
            services.keys.list(prefix, consistency) { result in
                respond(Self.response(result) { .json(KeysDocument($0)) })
            }
        case .snapshot(let consistency):
            services.snapshot(consistency) { result in
                respond(
                    Self.response(result) {
                        AdminResponse(contentType: "application/octet-stream", body: $0.encoded())
                    })
            }
        case .changeKey(let key, let value, let condition):
            let change = KeyChange(key: key, value: value, condition: condition, at: .now())
            services.keys.change(change) { result in
                respond(Self.response(result) { .changed(key, $0, isDeletion: value == nil) })
            }
        }
    }

    /// Answers with what `make` makes of the status.
    private func answer(
        _ consistency: AdminServices.Consistency, _ respond: @escaping @Sendable (AdminResponse) -> Void,
        _ make: @escaping @Sendable (StatusDocument) -> AdminResponse
    ) {
        services.status(consistency) { respond(Self.response($0, success: make)) }
    }

    /// The leader follows a wish on its own; the status shows how far it is.
    private static func response(wish result: Result<Void, AdminFailure>) -> AdminResponse {
        response(result) { .json(WishDocument(accepted: true), status: 202) }
    }

    static func response<Value>(
        _ result: Result<Value, AdminFailure>, success: (Value) -> AdminResponse
    ) -> AdminResponse {
        switch result {
        case .success(let value): success(value)
        case .failure(let failure): response(failure)
        }
    }

    static func response(_ failure: AdminFailure) -> AdminResponse {
        switch failure {
        case .invalid(let problems):
            .problem(
                422, "the configuration has \(problems.count) problem(s); nothing was changed",
                right: "correct it as the problems say", problems: problems)
        case .refused(let refusal):
            .problem(status(of: refusal), "\(refusal)", isRetryable: refusal.isRetryable)
        case .upgrade(let reason): .problem(409, reason)
        case .unavailable(let reason): .problem(503, reason, isRetryable: true)
        case .timedOut:
            .problem(
                504, "no agreement in time; the change may still take effect", right: "look before you try again")
        }
    }

    private static func status(of refusal: Refusal) -> UInt16 {
        switch refusal {
        case .revisionConflict, .keyConflict: 412
        case .unknownBackend, .unknownUpstream, .registration(.unknown): 404
        case .registration(.configured), .registration(.taken): 409
        case .staleTerm, .member, .tooMany: 409
        case .unreadable: 500
        }
    }
}
