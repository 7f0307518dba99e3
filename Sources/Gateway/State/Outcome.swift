import Raft

/// What applying a command came to. The same on every node.
package enum Outcome: Hashable, Sendable {
    case applied
    /// A configuration was applied and has this revision.
    case configured(Revision)
    /// A key was set or deleted, which is this revision of the key space.
    case keyChanged(KeyRevision)
    /// The state already said so.
    case unchanged
    /// Nothing was changed.
    case refused(Refusal)
}

/// Why a command changed nothing.
package enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    case revisionConflict(expected: Revision, current: Revision)
    /// The key is not as the change expects; its revision, nil where there is no such key.
    case keyConflict(KeyName, current: KeyRevision?)
    case unknownBackend(BackendKey)
    case unknownUpstream(String)
    case staleTerm(Term, current: Term)
    case member(MemberRefusal)
    case registration(RegistrationRefusal)
    case tooMany(what: String, limit: Int)
    case unreadable(DecodingFault)

    /// Whether the same command can succeed later without another change by the operator.
    package var isRetryable: Bool {
        switch self {
        case .member(let refusal): refusal.isRetryable
        case .revisionConflict, .keyConflict, .unknownBackend, .unknownUpstream, .staleTerm, .registration, .tooMany,
            .unreadable:
            false
        }
    }

    package var description: String {
        switch self {
        case .revisionConflict(let expected, let current):
            "the configuration is at revision \(current), not \(expected); read it again and repeat the change"
        case .keyConflict(let key, let current):
            current.map { "the key \(key) exists, at revision \($0)" } ?? "there is no key \(key)"
        case .unknownBackend(let backend):
            "upstream \(backend.upstream) has no backend \(backend.address)"
        case .unknownUpstream(let name):
            "there is no upstream \(name)"
        case .staleTerm(let term, let current):
            "term \(term) is over; the current one is \(current)"
        case .member(let refusal):
            refusal.description
        case .registration(let refusal):
            refusal.description
        case .tooMany(let what, let limit):
            "more than \(limit) \(what)"
        case .unreadable(let fault):
            "unreadable command: \(fault)"
        }
    }
}
