import Posix

/// The body of `PUT /v1/upstreams/{upstream}/registrations/{name}`.
package struct RegistrationDocument: Codable, Hashable, Sendable, DescribedDocument {
    package var address: String
    /// For which it stays without a renewal.
    package var ttlSeconds: Int
    /// 1 unless given.
    package var weight: Int?

    package init(_ registration: Registration) {
        address = registration.address.description
        ttlSeconds = registration.timeToLiveSeconds
        weight = registration.weight
    }

    static var properties: [String: [String: JSONValue]] {
        let (times, weights) = (Registrations.timesToLive, BackendEdit.weights)
        return [
            "address": [
                "description": "Where it is reached, as in 10.0.0.1:8080 or [fd00::1]:8080.",
                "examples": ["10.0.0.9:8080"],
            ],
            "ttlSeconds": [
                "description": "For which it stays without a renewal.", "minimum": .integer(times.lowerBound),
                "maximum": .integer(times.upperBound),
            ],
            "weight": [
                "description": "Its share; 1 unless given.", "minimum": .integer(weights.lowerBound),
                "maximum": .integer(weights.upperBound),
            ],
        ]
    }
}

/// The answer to a registration.
package struct RegisteredDocument: Codable, Hashable, Sendable {
    package var id: String
    package var address: String
    package var ttlSeconds: Int
    package var weight: Int
    /// Whether it was there already, so that nothing but its time has changed.
    package var renewed: Bool

    init(_ id: String, _ registration: Registration, renewed: Bool) {
        self.id = id
        address = registration.address.description
        ttlSeconds = registration.timeToLiveSeconds
        weight = registration.weight
        self.renewed = renewed
    }
}

/// The answer of `GET /v1/upstreams/{upstream}/registrations`, by id.
package struct RegistrationsDocument: Codable, Hashable, Sendable {
    package struct Entry: Codable, Hashable, Sendable {
        package var id: String
        package var address: String
        package var ttlSeconds: Int
        package var weight: Int
    }

    package var registrations: [Entry]

    init(_ registrations: Registrations, of upstream: String) {
        self.registrations = registrations.entries.filter { $0.key.upstream == upstream }
            .sorted { $0.key < $1.key }.map { key, entry in
                Entry(
                    id: key.id, address: entry.registration.address.description,
                    ttlSeconds: entry.registration.timeToLiveSeconds, weight: entry.registration.weight)
            }
    }
}
