import COpenSSL

/// Why a client and this node came to no secured connection.
package enum HandshakeFault: Int, CaseIterable, Sendable {
    /// It is HTTP without TLS.
    case plainHTTP
    /// It is not TLS, or breaks its rules.
    case malformed
    case protocolVersion
    case noSharedCipher
    case noSharedProtocol
    case unknownServerName
    case clientCertificate
    /// The client gave up with an alert: most often it does not believe the certificate.
    case alert
    /// The client closed the connection before the end.
    case aborted
    /// It took too long.
    case timeout

    /// For metrics and the log.
    package var name: String {
        switch self {
        case .plainHTTP: "plain_http"
        case .malformed: "malformed"
        case .protocolVersion: "protocol_version"
        case .noSharedCipher: "no_shared_cipher"
        case .noSharedProtocol: "no_shared_protocol"
        case .unknownServerName: "unknown_server_name"
        case .clientCertificate: "client_certificate"
        case .alert: "alert"
        case .aborted: "aborted"
        case .timeout: "timeout"
        }
    }

    /// From what OpenSSL noted last on this thread.
    static func noted(verification: Int) -> HandshakeFault {
        switch TLSFailure.notedReason {
        case SSL_R_HTTP_REQUEST: return .plainHTTP
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_UNKNOWN_PROTOCOL, SSL_R_WRONG_VERSION_NUMBER,
            SSL_R_INAPPROPRIATE_FALLBACK, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_WRONG_SSL_VERSION:
            return .protocolVersion
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
            SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
            return .noSharedCipher
        case SSL_R_NO_APPLICATION_PROTOCOL: return .noSharedProtocol
        case SSL_R_CALLBACK_FAILED, SSL_R_CLIENTHELLO_TLSEXT: return .unknownServerName
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SSL_R_CERTIFICATE_VERIFY_FAILED: return .clientCertificate
        case let reason? where reason > SSL_AD_REASON_OFFSET: return .alert
        case _: return verification == Int(X509_V_OK) ? .malformed : .clientCertificate
        }
    }
}
