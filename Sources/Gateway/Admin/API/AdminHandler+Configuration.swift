/// What was in force and is to be again.
extension AdminHandler {
    static func configuration(at revision: Revision?, in state: ClusterState) -> AdminResponse {
        guard let record = state.configuration(at: revision ?? state.revision) else {
            return missing(revision, in: state)
        }
        var response = AdminResponse(contentType: "application/json5", body: Array(record.source.utf8))
        response.entityTag = "\"\(record.revision)\""
        return response
    }

    static func difference(from: Revision?, to: Revision?, in state: ClusterState) -> AdminResponse {
        guard let from = from ?? state.history.last?.revision else { return noEarlierRevision }
        guard let old = state.configuration(at: from) else { return missing(from, in: state) }
        guard let new = state.configuration(at: to ?? state.revision) else { return missing(to, in: state) }
        let difference = LineDifference(from: old.source, to: new.source)
        return .text(difference.unified(from: "revision \(old.revision)", to: "revision \(new.revision)"))
    }

    /// Applies an earlier text as a new revision. Unless `expected` says otherwise, only if none came in between.
    func rollBack(
        to revision: Revision?, expected: Revision?, author: String,
        _ respond: @escaping @Sendable (AdminResponse) -> Void
    ) {
        services.readState(.linearizable) { [services] result in
            let state: ClusterState
            switch result {
            case .success(let value): state = value
            case .failure(let failure): return respond(Self.response(failure))
            }
            guard let wanted = revision ?? state.history.last?.revision else {
                return respond(Self.noEarlierRevision)
            }
            guard let record = state.configuration(at: wanted) else { return respond(Self.missing(wanted, in: state)) }
            let upload = ConfigurationUpload(
                source: record.source, name: "revision \(wanted)", expectedRevision: expected ?? state.revision,
                author: "\(author), back to \(wanted)")
            services.apply(upload) { result in
                respond(
                    Self.response(result) {
                        .json(RestoredDocument(revision: $0.number, restored: wanted.number))
                    })
            }
        }
    }

    private static let noEarlierRevision = AdminResponse.problem(
        404, "no earlier revision is kept", right: "/v1/config/history lists what is")

    private static func missing(_ revision: Revision?, in state: ClusterState) -> AdminResponse {
        guard let revision, state.configuration != nil else {
            return .problem(404, "the cluster has no configuration yet", right: "apply one")
        }
        let oldest = (state.history.first ?? state.configuration)?.revision ?? .none
        return .problem(
            404, "revision \(revision) is not kept", right: "revisions \(oldest) to \(state.revision) may be")
    }
}
