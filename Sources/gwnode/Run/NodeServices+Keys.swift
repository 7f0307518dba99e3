import Gateway

/// The key space, read and changed through the consensus thread, which alone has it.
extension NodeServices {
    var keyServices: AdminServices.Keys {
        AdminServices.Keys(
            read: { key, consistency, completion in read(consistency, { $0.state.keys.records[key] }, completion) },
            list: { prefix, consistency, completion in
                // The copy is taken there and searched here: the consensus thread has no time for it.
                read(consistency, { $0.state.keys }) { result in
                    if !control({ completion(result.map { $0.listing(prefix: prefix) }) }) {
                        completion(.failure(.unavailable("too much waits at this node, try again")))
                    }
                }
            },
            change: { change, completion in
                propose(.key(change)) { result in
                    completion(
                        result.flatMap { outcome in
                            switch outcome {
                            case .keyChanged(let revision): .success(revision)
                            case .unchanged: .success(nil)
                            case .refused(let refusal): .failure(.refused(refusal))
                            case .applied, .configured: preconditionFailure("a key is changed, not there, or refused")
                            }
                        })
                }
            })
    }
}
