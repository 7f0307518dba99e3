/// Where a node finds what it proves itself with, and whom it trusts. All in PEM.
package struct NodeCertificateFiles: Hashable, Sendable {
    /// The authority's certificate, one or several: those whose nodes are let in.
    package var authority: String
    /// This node's certificate, and those between it and the authority's.
    package var certificate: String
    /// Its private key, without a pass phrase.
    package var key: String

    package init(authority: String, certificate: String, key: String) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }
}
