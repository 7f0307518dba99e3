import Posix
import TLS

extension Schema where Value == ListenerTLS {
    /// The `tls` object of a listener.
    static let listenerTLS = object(
        .required(
            "certificates", .array(of: .keyPair, count: 1...maximumCertificates),
            "Which one a client sees is decided by the name that it asks for; the first one is that of all others."),
        .optional(
            "minimumVersion", .choice, default: TLSServerSettings.MinimumVersion.tls12, "The oldest version of TLS."),
        .optional(
            "ciphers", .choice, default: TLSServerSettings.Profile.intermediate,
            "Mozilla's profiles of ciphers and curves: \"modern\" is TLS 1.3 alone."),
        .optional(
            "unknownServerName", .choice, default: TLSServerSettings.UnknownName.firstCertificate,
            "What a client gets that asks for a name of no certificate, or for none: the first certificate, or an alert."
        ),
        .optional(
            "clientCertificates", .clientCertificates,
            "Whether clients show certificates. Backends see the subject in X-Client-Certificate-Subject."),
        .optional(
            "sessionTickets", .boolean, default: true,
            "Whether clients may resume sessions, at any node: keys of tickets are replicated, and renewed every 8 hours."
        ),
        .optional(
            "strictTransport", .strictTransport,
            "Tells browsers to use HTTPS alone from now on (RFC 6797). Left out: they are told nothing."),
        make: { certificates, version, profile, unknown, clients, givesTickets, strictTransport in
            ListenerTLS(
                TLSServerSettings(
                    certificates: certificates, minimumVersion: version, profile: profile, unknownName: unknown,
                    clientCertificates: clients, givesTickets: givesTickets), strictTransport: strictTransport)
        })

    private static var maximumCertificates: Int { 100 }
}

extension Schema where Value == TLSServerSettings.KeyPair {
    static let keyPair = object(
        .required(
            "certificate", .absolutePath,
            "A file of each node, in PEM: the certificate, and behind it those between it and its authority's."),
        .required("key", .absolutePath, "A file of each node, in PEM, which only the node's user may read."),
        make: Value.init)
}

extension Schema where Value == TLSServerSettings.ClientCertificates {
    fileprivate static let clientCertificates = object(
        .required("authority", .absolutePath, "A file of each node, in PEM: the authorities of the clients."),
        .required("mode", .choice, "Whether clients may show a certificate, or must."),
        make: Value.init)
}

extension Schema where Value == ListenerTLS.StrictTransport {
    fileprivate static let strictTransport = object(
        .required(
            "maximumAge", .duration(from: Nanoseconds.seconds(1), to: Nanoseconds.seconds(63_072_000)),
            "For how long, at most \"17520h\"."),
        .optional("includeSubdomains", .boolean, default: false, "Names under this one too."),
        .optional("preload", .boolean, default: false, "Consents to the lists that browsers bring along."),
        make: Value.init)
}

extension Schema where Value == String {
    /// The path of a file, from the root: the same wherever a node is started.
    static var absolutePath: Schema {
        filePath.rule({ $0.hasPrefix("/") }, wrong: "not a path from the root", right: "begin it with \"/\"")
    }
}
