import Posix

/// Names a registration in the whole cluster: what a backend calls itself within an upstream.
package struct RegistrationKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var upstream: String
    package var id: String

    package init(upstream: String, id: String) {
        self.upstream = upstream
        self.id = id
    }

    package static func < (left: RegistrationKey, right: RegistrationKey) -> Bool {
        (left.upstream, left.id) < (right.upstream, right.id)
    }

    package var description: String { "\(upstream) \(id)" }
}

/// A backend that says of itself that it is there, for as long as it goes on saying so.
package struct Registration: Hashable, Sendable {
    package var address: SocketAddress
    /// As of a configured backend, `BackendEdit.weights`.
    package var weight: Int
    /// For which it stays without a renewal, `Registrations.timesToLive`.
    package var timeToLiveSeconds: Int

    package init(address: SocketAddress, weight: Int, timeToLiveSeconds: Int) {
        self.address = address
        self.weight = weight
        self.timeToLiveSeconds = timeToLiveSeconds
    }
}

/// All registrations. When they run out is not in the replicated state: renewals would fill the log.
package struct Registrations: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var registration: Registration
        /// The number of the change that made it so, by which renewals name it.
        package var serial: UInt64
    }

    package enum Limit {
        /// In the whole cluster. Each may be renewed in one report of a node, which has 64 KiB.
        package static let count = 1_000
    }

    package static let timesToLive = 5...3600

    package internal(set) var entries: [RegistrationKey: Entry] = [:]
    /// Counts the changes; 0 before the first.
    package internal(set) var revision: UInt64 = 0

    package init() {}

    package func key(of address: SocketAddress, in upstream: String) -> RegistrationKey? {
        entries.first { $0.key.upstream == upstream && $0.value.registration.address == address }?.key
    }

    mutating func set(_ registration: Registration, for key: RegistrationKey) {
        revision += 1
        entries[key] = Entry(registration: registration, serial: revision)
    }

    mutating func remove(_ key: RegistrationKey) -> Registration? {
        guard let entry = entries.removeValue(forKey: key) else { return nil }
        revision += 1
        return entry.registration
    }
}

/// Why a registration is not taken or not removed.
package enum RegistrationRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case configured(BackendKey)
    case taken(BackendKey, by: String)
    case unknown(RegistrationKey)

    package var description: String {
        switch self {
        case .configured(let backend): "\(backend.address) is a configured backend of \(backend.upstream) already"
        case .taken(let backend, let id):
            "\(backend.address) is registered in \(backend.upstream) as \(id); use that id, or remove it first"
        case .unknown(let key): "upstream \(key.upstream) has no registration \(key.id)"
        }
    }
}

extension GatewayConfiguration {
    /// With the registered backends behind the configured ones of their upstreams.
    package func joined(by registrations: Registrations) -> GatewayConfiguration {
        var joined = self
        for index in joined.upstreams.indices {
            let name = joined.upstreams[index].name
            let configured = Set(joined.upstreams[index].backends.map(\.address))
            let others = registrations.entries.filter { $0.key.upstream == name }.map(\.value.registration)
                .filter { !configured.contains($0.address) }.sorted { BackendKey.areInOrder($0.address, $1.address) }
            joined.upstreams[index].backends += others.map { Backend(address: $0.address, weight: $0.weight) }
        }
        return joined
    }
}

extension BackendKey {
    fileprivate static func areInOrder(_ left: SocketAddress, _ right: SocketAddress) -> Bool {
        BackendKey(upstream: "", address: left) < BackendKey(upstream: "", address: right)
    }
}
