import Gateway
import Posix
import Raft

/// Backends that register themselves. What is new goes through the log; a renewal only to the leader, with this
/// node's next reports.
extension NodeServices {
    var registrationServices: AdminServices.Registering {
        AdminServices.Registering(put: register, remove: deregister)
    }

    private func register(
        _ key: RegistrationKey, _ registration: Registration, _ completion: @escaping AdminServices.Completion<Bool>
    ) {
        let current = view.current
        if let entry = current?.state.registrations.entries[key], entry.registration == registration {
            guard let raft = current?.raft, raft.hasQuorum, raft.leader != nil else {
                return completion(.failure(.unavailable("no leader would hear of the renewal; ask another node")))
            }
            renewals.note(entry.serial)
            return completion(.success(true))
        }
        guard serving.configuration?.upstreams.contains(where: { $0.name == key.upstream }) == true else {
            return completion(.failure(.refused(.unknownUpstream(key.upstream))))
        }
        propose(.register(RegistrationChange(key: key, registration: registration, at: .now()))) { result in
            completion(
                result.flatMap { outcome in
                    switch outcome {
                    case .applied: .success(false)
                    case .unchanged: .success(true)
                    case .refused(let refusal): .failure(.refused(refusal))
                    case .configured, .keyChanged: preconditionFailure("a registration is taken or refused")
                    }
                })
        }
    }

    private func deregister(_ key: RegistrationKey, _ completion: @escaping AdminServices.Completion<Void>) {
        propose(.deregister(RegistrationRemoval(key: key, at: .now()))) { result in
            completion(
                result.flatMap { outcome in
                    switch outcome {
                    case .applied, .unchanged: .success(())
                    case .refused(let refusal): .failure(.refused(refusal))
                    case .configured, .keyChanged: preconditionFailure("a registration is removed or refused")
                    }
                })
        }
    }
}
