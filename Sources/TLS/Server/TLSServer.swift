import COpenSSL
import Posix

/// The certificates and rules of one listener, as OpenSSL has them. Immutable: a renewed certificate makes a new one,
/// and connections go on with that which they began with.
package final class TLSServer: @unchecked Sendable {
    /// One for each certificate.
    private let contexts: [OpaquePointer]
    private let names: ServerNames
    private let refusesUnknown: Bool
    /// Used by OpenSSL's callbacks for as long as a context lives.
    private let tickets: TicketKeys
    /// When the first of its certificates expires, in seconds since 1970, and the file of that.
    package let expiry: (seconds: Int, file: String)

    /// What connections begin with, before the client has named a server.
    var initial: OpaquePointer { contexts[0] }

    /// Reads and checks the files. `name` is the listener's: a ticket of one is none for another.
    package init(_ settings: TLSServerSettings, name: String, tickets: TicketKeys) throws(TLSFailure) {
        var contexts: [OpaquePointer] = []
        var names = ServerNames()
        var expiry = (seconds: Int.max, file: "")
        do throws(TLSFailure) {
            let clients = try ClientTrust(settings.clientCertificates)
            for (index, pair) in settings.certificates.enumerated() {
                let chain = try PEMFile.certificates(pair.certificate)
                let key = try PEMFile.key(pair.key)
                do throws(TLSFailure) {
                    contexts.append(try Self.context(settings, chain, key))
                } catch { throw TLSFailure("\(pair.certificate), \(pair.key): \(error)") }
                try clients.add(to: contexts[index])
                names.add(chain[0].serverNames, index: index)
                if chain[0].expirySeconds < expiry.seconds { expiry = (chain[0].expirySeconds, pair.certificate) }
                var identity = Array(name.utf8.prefix(Int(SSL_MAX_SSL_SESSION_ID_LENGTH) / 2)) + clients.digest
                identity = Array(identity.prefix(Int(SSL_MAX_SSL_SESSION_ID_LENGTH)))
                SSL_CTX_set_session_id_context(contexts[index], identity, UInt32(identity.count))
            }
        } catch {
            for context in contexts { SSL_CTX_free(context) }
            throw error
        }
        self.contexts = contexts
        self.names = names
        self.tickets = tickets
        self.expiry = expiry
        refusesUnknown = settings.unknownName == .refuse
        let own = Unmanaged.passUnretained(self).toOpaque()
        for context in contexts {
            gw_on_server_name(context, Self.chooseCertificate, own)
            SSL_CTX_set_alpn_select_cb(context, Self.chooseProtocol, nil)
            if settings.givesTickets { tickets.attach(to: context) } else { gw_give_no_tickets(context) }
        }
    }

    deinit { for context in contexts { SSL_CTX_free(context) } }

    private static func context(
        _ settings: TLSServerSettings, _ chain: [Certificate], _ key: PrivateKey
    ) throws(TLSFailure) -> OpaquePointer {
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw .noted("TLS can not be set up") }
        do throws(TLSFailure) {
            gw_prepare_server(context)
            let isModern = settings.profile == .modern || settings.minimumVersion == .tls13
            guard gw_set_minimum_version(context, isModern ? TLS1_3_VERSION : TLS1_2_VERSION) == 1,
                SSL_CTX_set_cipher_list(context, intermediateCiphers) == 1,
                SSL_CTX_set_ciphersuites(context, modernCiphers) == 1, gw_set_groups(context, groups) == 1
            else { throw .noted("the ciphers can not be set") }
            guard SSL_CTX_use_certificate(context, chain[0].raw) == 1 else {
                throw .noted("the certificate can not be used")
            }
            guard SSL_CTX_use_PrivateKey(context, key.raw) == 1, SSL_CTX_check_private_key(context) == 1 else {
                _ = TLSFailure.noted("")
                throw TLSFailure("the key does not belong to the certificate")
            }
            for certificate in chain.dropFirst() where gw_add_to_chain(context, certificate.raw) != 1 {
                throw .noted("the chain of certificates can not be used")
            }
            return context
        } catch {
            SSL_CTX_free(context)
            throw error
        }
    }

    /// Those of Mozilla's profile but for DHE, which needs parameters and costs a server far more than a client.
    private static let intermediateCiphers =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    private static let modernCiphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    private static let groups = "X25519:P-256:P-384"

    private static let chooseCertificate: gw_name_callback = { ssl, alert, argument in
        guard let ssl, let argument else { return SSL_TLSEXT_ERR_NOACK }
        let server = Unmanaged<TLSServer>.fromOpaque(argument).takeUnretainedValue()
        let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)
        if let name, let index = server.names.certificate(for: String(cString: name)) {
            if index > 0 { SSL_set_SSL_CTX(ssl, server.contexts[index]) }
            return SSL_TLSEXT_ERR_OK
        }
        guard server.refusesUnknown else { return SSL_TLSEXT_ERR_NOACK }
        alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    /// HTTP/1.1 where it is offered; a client that offers only other protocols is refused (RFC 7301, section 3.2).
    private static let chooseProtocol: SSL_CTX_alpn_select_cb_func = { _, chosen, chosenCount, offered, count, _ in
        guard let offered, let chosen, let chosenCount else { return SSL_TLSEXT_ERR_NOACK }
        let wanted = Array("http/1.1".utf8)
        var position = 0
        while position < Int(count) {
            let length = Int(offered[position])
            let name = UnsafeBufferPointer(start: offered + position + 1, count: length)
            if position + 1 + length <= Int(count), name.elementsEqual(wanted) {
                chosen.pointee = offered + position + 1
                chosenCount.pointee = UInt8(length)
                return SSL_TLSEXT_ERR_OK
            }
            position += 1 + length
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
}

/// Whose clients are believed.
private struct ClientTrust {
    private let authorities: [Certificate]
    private let mode: Int32
    /// Differs when the authorities do, so that a ticket from before a change proves nothing.
    let digest: [UInt8]

    init(_ settings: TLSServerSettings.ClientCertificates?) throws(TLSFailure) {
        guard let settings else {
            (authorities, mode, digest) = ([], SSL_VERIFY_NONE, [])
            return
        }
        authorities = try PEMFile.certificates(settings.authority)
        switch settings.mode {
        case .optional: mode = SSL_VERIFY_PEER
        case .required: mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let text = authorities.flatMap(\.text)
        EVP_Digest(text, text.count, &digest, &count, EVP_sha256(), nil)
        self.digest = Array(digest[..<Int(SSL_MAX_SSL_SESSION_ID_LENGTH / 2)])
    }

    func add(to context: OpaquePointer) throws(TLSFailure) {
        SSL_CTX_set_verify(context, mode, nil)
        for authority in authorities where gw_add_client_authority(context, authority.raw) != 1 {
            throw .noted("the certificate of the clients' authority can not be used")
        }
    }
}
