import COpenSSL

/// What both ends of the connections between nodes go by: TLS 1.3, and a certificate of the cluster's authority at
/// either end.
package final class TLSContext: @unchecked Sendable {
    let raw: OpaquePointer

    /// `chain` begins with the node's own certificate.
    package init(chain: [Certificate], key: PrivateKey, authorities: [Certificate]) throws(TLSFailure) {
        guard let raw = SSL_CTX_new(TLS_method()) else { throw .noted("TLS can not be set up") }
        self.raw = raw
        gw_keep_no_sessions(raw)
        SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        guard gw_set_minimum_version(raw, TLS1_3_VERSION) == 1, let own = chain.first,
            SSL_CTX_use_certificate(raw, own.raw) == 1
        else { throw .noted("the certificate can not be used") }
        guard SSL_CTX_use_PrivateKey(raw, key.raw) == 1, SSL_CTX_check_private_key(raw) == 1 else {
            _ = TLSFailure.noted("")
            throw TLSFailure("the key does not belong to the certificate")
        }
        for certificate in chain.dropFirst() where gw_add_to_chain(raw, certificate.raw) != 1 {
            throw .noted("the chain of certificates can not be used")
        }
        let store = SSL_CTX_get_cert_store(raw)
        for authority in authorities where X509_STORE_add_cert(store, authority.raw) != 1 {
            throw .noted("the certificate of the authority can not be used")
        }
    }

    /// The same from files.
    package convenience init(_ files: NodeCertificateFiles) throws(TLSFailure) {
        let authorities = try PEMFile.certificates(files.authority)
        let chain = try PEMFile.certificates(files.certificate)
        let key = try PEMFile.key(files.key)
        do throws(TLSFailure) { try self.init(chain: chain, key: key, authorities: authorities) } catch {
            throw TLSFailure("\(files.certificate), \(files.key): \(error)")
        }
    }

    deinit { SSL_CTX_free(raw) }
}
