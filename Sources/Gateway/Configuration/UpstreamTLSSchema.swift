import TLS

extension Field where Value == TLSClientSettings? {
    /// Of an upstream.
    static var upstreamTLS: Field {
        .optional(
            "tls", Schema<TLSClientSettings>.upstreamTLS,
            "Speaks TLS with the backends, health checks included. Left out: plain HTTP.")
    }
}

extension Schema where Value == TLSClientSettings {
    fileprivate static let upstreamTLS = object(
        .optional(
            "authority", Schema<String>.absolutePath,
            "A file of each node, in PEM: whose certificates are believed. Left out: those that the system believes."),
        .optional(
            "serverName", Schema<String>.serverName,
            "The name that backends are asked for (SNI) and that their certificates must have. Left out: each backend's "
                + "address, and no name is asked for."),
        .optional(
            "verify", .boolean, default: true,
            "Whether certificates are verified. False protects from listeners, not from impostors."),
        .optional(
            "certificate", Schema<TLSServerSettings.KeyPair>.keyPair,
            "What this node shows to backends that ask for it."),
        .optional(
            "minimumVersion", .choice, default: TLSServerSettings.MinimumVersion.tls12, "The oldest version of TLS."),
        make: TLSClientSettings.init
    ).rule(
        at: "authority", { $0.isVerified || $0.authority == nil }, wrong: "of no use without verify",
        right: "leave out one of the two")
}
