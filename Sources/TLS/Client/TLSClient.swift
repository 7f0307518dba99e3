import COpenSSL

/// The rules by which connections to servers are secured, as OpenSSL has them. Immutable.
package final class TLSClient: @unchecked Sendable {
    private let raw: OpaquePointer
    private let name: String?

    /// Reads and checks the files.
    package init(_ settings: TLSClientSettings) throws(TLSFailure) {
        guard let raw = SSL_CTX_new(TLS_client_method()) else { throw .noted("TLS can not be set up") }
        do throws(TLSFailure) { try Self.prepare(raw, settings) } catch {
            SSL_CTX_free(raw)
            throw error
        }
        self.raw = raw
        name = settings.serverName
    }

    deinit { SSL_CTX_free(raw) }

    private static func prepare(_ raw: OpaquePointer, _ settings: TLSClientSettings) throws(TLSFailure) {
        gw_prepare_client(raw)
        guard gw_set_minimum_version(raw, settings.minimumVersion.number) == 1 else {
            throw .noted("TLS \(settings.minimumVersion.rawValue) can not be used")
        }
        SSL_CTX_set_verify(raw, settings.isVerified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        if let authority = settings.authority {
            let store = SSL_CTX_get_cert_store(raw)
            for one in try PEMFile.certificates(authority) where X509_STORE_add_cert(store, one.raw) != 1 {
                throw .noted("\(authority): it can not be used")
            }
        } else if settings.isVerified, SSL_CTX_set_default_verify_paths(raw) != 1 {
            throw .noted("the system's authorities can not be read")
        }
        guard let pair = settings.certificate else { return }
        let chain = try PEMFile.certificates(pair.certificate)
        let key = try PEMFile.key(pair.key)
        guard SSL_CTX_use_certificate(raw, chain[0].raw) == 1, SSL_CTX_use_PrivateKey(raw, key.raw) == 1,
            SSL_CTX_check_private_key(raw) == 1
        else {
            _ = TLSFailure.noted("")
            throw TLSFailure("\(pair.certificate), \(pair.key): the key does not belong to the certificate")
        }
        for certificate in chain.dropFirst() where gw_add_to_chain(raw, certificate.raw) != 1 {
            throw .noted("\(pair.certificate): the chain of certificates can not be used")
        }
    }

    /// A connection's end that dials. `address` is the server's, numeric and without a port. Nil when memory is short.
    func makeConnection(address: String, bio: OpaquePointer) -> OpaquePointer? {
        guard let ssl = gw_wire_connection(raw, bio) else { return nil }
        SSL_set_connect_state(ssl)
        let isNamed =
            if let name {
                gw_set_server_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1
            } else {
                X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address) == 1
            }
        if isNamed { return ssl }
        SSL_free(ssl)
        return nil
    }
}

/// One is equal only to itself: files that were read anew make another.
extension TLSClient: Hashable {
    package static func == (one: TLSClient, other: TLSClient) -> Bool { one === other }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
