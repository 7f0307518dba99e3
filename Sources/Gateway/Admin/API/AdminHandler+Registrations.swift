/// Backends that register themselves.
extension AdminHandler {
    func register(
        _ registration: Registration, as key: RegistrationKey, _ respond: @escaping @Sendable (AdminResponse) -> Void
    ) {
        services.registrations.put(key, registration) { [services] result in
            if case .failure(.refused(.unknownUpstream(let name))) = result {
                return services.status(.stale) { status in
                    respond(.unknown(upstream: name, known: (try? status.get())?.upstreams.map(\.name) ?? []))
                }
            }
            respond(Self.response(result) { .json(RegisteredDocument(key.id, registration, renewed: $0)) })
        }
    }

    func listRegistrations(
        in upstream: String, _ consistency: AdminServices.Consistency,
        _ respond: @escaping @Sendable (AdminResponse) -> Void
    ) {
        services.readState(consistency) { [services] result in
            let state: ClusterState
            switch result {
            case .success(let value): state = value
            case .failure(let failure): return respond(Self.response(failure))
            }
            services.status(.stale) { status in
                let known = (try? status.get())?.upstreams.map(\.name) ?? []
                guard known.contains(upstream) else { return respond(.unknown(upstream: upstream, known: known)) }
                respond(.json(RegistrationsDocument(state.registrations, of: upstream)))
            }
        }
    }
}
