import Posix

/// Backends that register themselves. Registered and configured addresses of an upstream never overlap, so the
/// backends are those of the configuration and those of the registrations.
extension ClusterState {
    mutating func apply(_ change: RegistrationChange) -> Outcome {
        let present = registrations.entries[change.key]?.registration
        if present == change.registration { return .unchanged }
        let backend = BackendKey(upstream: change.key.upstream, address: change.registration.address)
        if let owner = registrations.key(of: backend.address, in: backend.upstream) {
            if owner != change.key { return .refused(.registration(.taken(backend, by: owner.id))) }
        } else if backends[backend] != nil {
            return .refused(.registration(.configured(backend)))
        }
        if present == nil, registrations.entries.count == Registrations.Limit.count {
            return .refused(.tooMany(what: "registrations", limit: Registrations.Limit.count))
        }
        if let present, present.address != backend.address {
            backends[BackendKey(upstream: backend.upstream, address: present.address)] = nil
        }
        registrations.set(change.registration, for: change.key)
        backends[backend] = backends[backend] ?? BackendRecord()
        journal.append(.backendRegistered(backend, id: change.key.id), at: change.at)
        return .applied
    }

    mutating func apply(_ change: RegistrationRemoval) -> Outcome {
        guard let backend = withdraw(change.key) else { return .refused(.registration(.unknown(change.key))) }
        journal.append(.backendDeregistered(backend, id: change.key.id), at: change.at)
        return .applied
    }

    /// Those that were registered anew since are left out: the leader that counted had not heard of it.
    mutating func expireRegistrations(_ serials: [UInt64], at time: WallTime) -> Outcome {
        let wanted = Set(serials)
        let gone = registrations.entries.filter { wanted.contains($0.value.serial) }.keys.sorted()
        for key in gone {
            guard let backend = withdraw(key) else { continue }
            journal.append(.registrationExpired(backend, id: key.id), at: time)
        }
        return gone.isEmpty ? .unchanged : .applied
    }

    /// A configuration that names a registered address takes the backend over.
    mutating func withdrawRegistrations(configuredAs configured: [BackendKey]) {
        let configured = Set(configured)
        for (key, entry) in registrations.entries.sorted(by: { $0.key < $1.key })
        where configured.contains(BackendKey(upstream: key.upstream, address: entry.registration.address)) {
            _ = registrations.remove(key)
        }
    }

    var registeredBackends: [BackendKey] {
        registrations.entries.map { BackendKey(upstream: $0.key.upstream, address: $0.value.registration.address) }
    }

    private mutating func withdraw(_ key: RegistrationKey) -> BackendKey? {
        guard let registration = registrations.remove(key) else { return nil }
        let backend = BackendKey(upstream: key.upstream, address: registration.address)
        backends[backend] = nil
        return backend
    }
}

/// A backend says that it is there, or that something about it has changed.
package struct RegistrationChange: Hashable, Sendable {
    package var key: RegistrationKey
    package var registration: Registration
    package var at: WallTime

    package init(key: RegistrationKey, registration: Registration, at: WallTime) {
        self.key = key
        self.registration = registration
        self.at = at
    }
}

/// A backend says that it goes.
package struct RegistrationRemoval: Hashable, Sendable {
    package var key: RegistrationKey
    package var at: WallTime

    package init(key: RegistrationKey, at: WallTime) {
        self.key = key
        self.at = at
    }
}
