import Posix

/// Changes of backends by name: what does not exist is answered with what it may have meant.
extension AdminHandler {
    /// How often an edit is made again because another configuration came in between.
    private static let edits = 5

    func setMode(
        _ backend: BackendKey, _ mode: BackendMode, author: String,
        _ respond: @escaping @Sendable (AdminResponse) -> Void
    ) {
        services.setMode(backend, mode, author) { [services] result in
            switch result {
            case .success: respond(.json(BackendModeDocument(mode: mode)))
            case .failure(.refused(.unknownUpstream(let name))):
                services.status(.stale) { status in
                    let known = (try? status.get())?.upstreams.map(\.name) ?? []
                    respond(.unknown(upstream: name, known: known))
                }
            case .failure(.refused(.unknownBackend(let backend))):
                services.status(.stale) { status in
                    let upstream = (try? status.get())?.upstreams.first { $0.name == backend.upstream }
                    respond(.unknown(backend, known: upstream?.backends.map(\.address) ?? []))
                }
            case .failure(let failure): respond(Self.response(failure))
            }
        }
    }

    /// Edits the text in force. Who expects no revision is not bothered with those that come in between.
    func editBackend(
        _ edit: BackendEdit, expected: Revision?, author: String, tries: Int = edits,
        _ respond: @escaping @Sendable (AdminResponse) -> Void
    ) {
        services.readState(.linearizable) { [self] result in
            let state: ClusterState
            switch result {
            case .success(let value): state = value
            case .failure(let failure): return respond(Self.response(failure))
            }
            if let expected, expected != state.revision {
                let conflict = Refusal.revisionConflict(expected: expected, current: state.revision)
                return respond(Self.response(.refused(conflict)))
            }
            let source: String
            do throws(BackendEdit.Refusal) {
                guard let edited = try edit.applied(to: state.configuration?.source ?? "{ upstreams: [] }") else {
                    return respond(.json(RevisionDocument(revision: state.revision.number)))
                }
                source = edited
            } catch {
                return respond(.refusal(error))
            }
            let upload = ConfigurationUpload(
                source: source, name: "revision \(state.revision.next)", expectedRevision: state.revision,
                author: author)
            services.apply(upload) { result in
                if case .failure(.refused(.revisionConflict)) = result, expected == nil, tries > 1 {
                    return editBackend(edit, expected: nil, author: author, tries: tries - 1, respond)
                }
                respond(Self.response(result) { .json(RevisionDocument(revision: $0.number)) })
            }
        }
    }
}

extension AdminResponse {
    static func upstream(_ name: String, in status: StatusDocument) -> AdminResponse {
        guard let upstream = status.upstreams.first(where: { $0.name == name }) else {
            return .unknown(upstream: name, known: status.upstreams.map(\.name))
        }
        return .json(upstream)
    }

    fileprivate static func refusal(_ refusal: BackendEdit.Refusal) -> AdminResponse {
        switch refusal {
        case .unknownUpstream(let name, let known): .unknown(upstream: name, known: known)
        case .unknownBackend(let backend, let known): .unknown(backend, known: known)
        case .unreadable:
            .problem(
                409, "the configuration in force can not be read by this version of gwnode",
                right: "ask a node of the newest version, or apply a whole configuration")
        }
    }

    static func unknown(upstream name: String, known: [String]) -> AdminResponse {
        .problem(404, "there is no upstream \(name)", right: Suggestion.text(for: name, among: known))
    }

    fileprivate static func unknown(_ backend: BackendKey, known: [String]) -> AdminResponse {
        .problem(
            404, "upstream \(backend.upstream) has no backend \(backend.address)",
            right: Suggestion.text(for: backend.address.description, among: known))
    }
}
