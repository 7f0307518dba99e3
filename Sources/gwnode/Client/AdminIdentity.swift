import Gateway
import TLS

/// What a command shows to admin APIs that speak TLS.
package struct AdminIdentity: Sendable {
    let context: TLSContext
    /// Of the certificate; other clusters' nodes are not believed.
    let cluster: String

    package init(_ files: NodeCertificateFiles) throws(TLSFailure) {
        let own = try PEMFile.certificates(files.certificate)[0]
        guard let member = own.uris.compactMap(MemberName.init).first else {
            throw TLSFailure(
                "\(files.certificate): it is for nobody of a cluster; use one that `gwnode certificates` has made")
        }
        cluster = member.cluster
        context = try TLSContext(files)
    }
}
