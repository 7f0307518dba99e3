import Gateway
import TLS

/// A backend that must not be believed.
enum Impostor: String, CaseIterable {
    case expired, early, otherName, selfSigned, stranger, plain, closing, silent

    /// One that would be right for `name` but for what it is. Its files are in the directory of `secrets`.
    func backend(_ secrets: TestSecrets, for name: String) throws -> TestBackend {
        switch self {
        case .expired: try secrets.issue(rawValue, for: [name], days: -3)
        case .early: try secrets.issue(rawValue, for: [name], startingInDays: 3)
        case .otherName: try secrets.issue(rawValue, for: ["other.test"])
        case .selfSigned: try secrets.signItself(rawValue, for: name)
        case .stranger: return try TestBackend(named: rawValue, secured: try TestSecrets([name]).server())
        case .plain:
            return try TestBackend { wire, _ in
                _ = try wire.bytes(count: 1)
                try wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                _ = try wire.rest()
            }
        case .closing: return try TestBackend { _, _ in }
        case .silent: return try TestBackend { wire, _ in _ = try wire.rest() }
        }
        return try TestBackend(
            named: rawValue, secured: try secrets.server { $0.certificates = [secrets.pair(rawValue)] })
    }

    /// What is said of it.
    var reason: String {
        switch self {
        case .expired: "its certificate expired on 20"
        case .early: "its certificate is not valid before 20"
        case .otherName: "its certificate is not for api.test, but for other.test"
        case .selfSigned: "its certificate is self-signed, and not in tls.authority"
        case .stranger: "its certificate is of an unknown authority"
        case .plain: "it does not speak TLS"
        case .closing: "it closed the connection during the TLS handshake"
        case .silent: "no TLS handshake in time"
        }
    }
}
