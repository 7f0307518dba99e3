import Posix

/// What concerns backends that register themselves.
extension AdminRoute {
    static func registration(_ request: AdminRequest) throws(Refused) -> Registration {
        let document = try document(
            RegistrationDocument.self, in: request,
            form: #"{"address": "10.0.0.9:8080", "ttlSeconds": 15, "weight": 1}"#)
        guard let address = SocketAddress(document.address), address.port > 0, !address.ip.isUnspecified,
            !address.ip.isMulticast
        else { throw refused(400, "the address is none of a backend", "write it as 10.0.0.1:8080 or [fd00::1]:8080") }
        let (times, weights) = (Registrations.timesToLive, BackendEdit.weights)
        guard times.contains(document.ttlSeconds) else {
            throw refused(400, "ttlSeconds is out of range", "use \(times.lowerBound) to \(times.upperBound)")
        }
        let weight = document.weight ?? 1
        guard weights.contains(weight) else {
            throw refused(400, "the weight is out of range", "use \(weights.lowerBound) to \(weights.upperBound)")
        }
        return Registration(address: address, weight: weight, timeToLiveSeconds: document.ttlSeconds)
    }
}

extension AdminRoute.PathParameters {
    func registration() throws(AdminRoute.Refused) -> RegistrationKey {
        guard Schema<String>.isName(self["name"]) else {
            throw AdminRoute.refused(
                400, "the path names no registration",
                "use 1 to 64 letters, digits, `-`, `_` or `.`, the first a letter or digit")
        }
        return RegistrationKey(upstream: self["upstream"], id: self["name"])
    }
}
