import Posix

/// Keeps a client at its backend by a cookie that names the backend opaquely.
///
/// What stands in it is computed from the configuration alone, so that every node reads it alike, after a failover too,
/// and that nothing has to be remembered.
package struct StickySessions: Hashable, Sendable {
    package enum SameSite: String, Hashable, Sendable, CaseIterable {
        case lax, strict, none
    }

    package var cookie: String
    /// Makes it impossible to find a backend's address by trying addresses.
    package var secret: String
    /// Browsers send the cookie over TLS only.
    package var isSecure: Bool
    package var sameSite: SameSite
    /// For which browsers keep the cookie; nil: until they end.
    package var maximumAge: Nanoseconds?

    package init(
        cookie: String = StickySessions.standardCookie, secret: String, isSecure: Bool = false,
        sameSite: SameSite = .lax,
        maximumAge: Nanoseconds? = nil
    ) {
        self.cookie = cookie
        self.secret = secret
        self.isSecure = isSecure
        self.sameSite = sameSite
        self.maximumAge = maximumAge
    }

    package static let standardCookie = "gwnode-backend"

    /// What stands for a backend in cookies of an upstream.
    package func token(upstream: String, backend: SocketAddress) -> StickyToken {
        let secret = Array(secret.utf8)
        let key = NoticeKey(
            first: SipHash.hash(secret, key: NoticeKey(first: 1, second: 1)),
            second: SipHash.hash(secret, key: NoticeKey(first: 2, second: 2)))
        return StickyToken(number: SipHash.hash(Array("\(upstream) \(backend)".utf8), key: key))
    }

    /// The field line that sets the cookie. Scripts of the page never see it.
    package func fieldLine(_ token: StickyToken) -> String {
        var line = "Set-Cookie: \(cookie)=\(token); Path=/; HttpOnly; SameSite=\(sameSite.rawValue.capitalizedFirst)"
        if isSecure { line += "; Secure" }
        if let maximumAge { line += "; Max-Age=\(maximumAge.count / 1_000_000_000)" }
        return line + "\r\n"
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
