import Posix

extension Field where Value == StickySessions? {
    /// Of an upstream.
    static var sticky: Field {
        .optional(
            "sticky", Schema<StickySessions>.stickySessions,
            "Keeps a client at its backend by a cookie. Left out: the algorithm alone decides.")
    }
}

extension Schema where Value == StickySessions {
    fileprivate static let stickySessions = object(
        secret, cookie, secure, sameSite, maximumAge,
        make: { secret, cookie, secure, sameSite, maximumAge in
            StickySessions(
                cookie: cookie, secret: secret, isSecure: secure, sameSite: sameSite, maximumAge: maximumAge)
        }
    ).rule(
        at: "sameSite", { $0.sameSite != .none || $0.isSecure }, wrong: "refused by browsers without secure",
        right: "add secure: true")

    private static var secret: Field<String> {
        .required(
            "secret", .secretText, "Hides the backends' addresses in the cookie. Whoever changes it moves all clients.")
    }

    private static var cookie: Field<String> {
        .optional("cookie", .name, default: StickySessions.standardCookie, "The cookie's name.")
    }

    private static var secure: Field<Bool> {
        .optional(
            "secure", .boolean, default: false, "Browsers send the cookie over TLS only. Use it where clients do.")
    }

    private static var sameSite: Field<StickySessions.SameSite> {
        .optional(
            "sameSite", .choice, default: StickySessions.SameSite.lax,
            "Which requests from other sites carry the cookie. \"none\" needs secure.")
    }

    private static var maximumAge: Field<Nanoseconds?> {
        .optional(
            "maximumAge", Schema<Nanoseconds>.duration(from: .seconds(1), to: .seconds(400 * 86_400)),
            "For which browsers keep the cookie. Left out: until they end.")
    }
}

extension Schema where Value == String {
    fileprivate static var secretText: Schema {
        let noun = "a text of 16 to 128 bytes"
        return text(noun) { text throws(TextFault) in
            guard 16...128 ~= text.utf8.count else {
                throw TextFault(wrong: "found \(text.utf8.count) bytes", right: "use \(noun)")
            }
            return text
        }
    }
}
