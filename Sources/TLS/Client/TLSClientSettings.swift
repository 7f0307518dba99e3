/// How connections to servers are secured. Files are named, and read on each node.
package struct TLSClientSettings: Hashable, Sendable {
    /// Who signs the servers' certificates, in PEM; nil: the authorities that the system believes.
    package var authority: String?
    /// The name that is asked for and that the certificate must have; nil: the server's address.
    package var serverName: String?
    /// False: any certificate is taken, which protects from listeners but not from impostors.
    package var isVerified: Bool
    /// What this side shows when it is asked.
    package var certificate: TLSServerSettings.KeyPair?
    package var minimumVersion: TLSServerSettings.MinimumVersion

    package init(
        authority: String? = nil, serverName: String? = nil, isVerified: Bool = true,
        certificate: TLSServerSettings.KeyPair? = nil, minimumVersion: TLSServerSettings.MinimumVersion = .tls12
    ) {
        self.authority = authority
        self.serverName = serverName
        self.isVerified = isVerified
        self.certificate = certificate
        self.minimumVersion = minimumVersion
    }

    /// All files that they name.
    package var paths: [String] {
        (authority.map { [$0] } ?? []) + (certificate.map { [$0.certificate, $0.key] } ?? [])
    }
}
