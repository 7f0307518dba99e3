import COpenSSL
import Glibc

/// Why this side came to no secured connection with a server that it dialled. In the words of a status: `it` is the
/// server.
package enum ServerFault: Hashable, Sendable, CustomStringConvertible {
    case noTLS
    /// It closed the connection before the handshake was over.
    case closed
    case timedOut
    /// Days are counted in UTC. Seconds since 1970.
    case expired(atSeconds: Int)
    case notYetValid(beforeSeconds: Int)
    /// `wanted` is nil where it was dialled by its address alone.
    case otherName(wanted: String?, found: [String])
    case selfSigned
    case unknownAuthority
    /// What else OpenSSL has against its certificate.
    case certificate(String)
    case protocolVersion
    /// It said why it gave up (RFC 8446, section 6.2).
    case alert(UInt8)
    /// In OpenSSL's words.
    case other(String)

    package var description: String {
        switch self {
        case .noTLS: "it does not speak TLS"
        case .closed: "it closed the connection during the TLS handshake"
        case .timedOut: "no TLS handshake in time"
        case .expired(let seconds): "its certificate expired on \(Self.day(seconds))"
        case .notYetValid(let seconds): "its certificate is not valid before \(Self.day(seconds))"
        case .otherName(let wanted?, let found): "its certificate is not for \(wanted)\(Self.instead(found))"
        case .otherName(nil, let found):
            "its certificate is not for its address\(Self.instead(found)); set tls.serverName to the name it has"
        case .selfSigned: "its certificate is self-signed, and not in tls.authority"
        case .unknownAuthority: "its certificate is of an unknown authority"
        case .certificate(let reason): "its certificate is refused: \(reason)"
        case .protocolVersion: "it speaks no version of TLS that is allowed"
        case .alert(let alert):
            Self.isAboutCertificate(alert)
                ? "it refuses this node's certificate: \(Self.name(ofAlert: alert))"
                : "it gave up: \(Self.name(ofAlert: alert))"
        case .other(let reason): "TLS: \(reason)"
        }
    }

    private static func instead(_ found: [String]) -> String {
        found.isEmpty ? "" : ", but for " + found.prefix(2).joined(separator: ", ") + (found.count > 2 ? ", …" : "")
    }

    private static func isAboutCertificate(_ alert: UInt8) -> Bool { 42...48 ~= alert || alert == 116 }

    private static func name(ofAlert alert: UInt8) -> String {
        String(cString: SSL_alert_desc_string_long(Int32(alert)))
    }

    private static func day(_ seconds: Int) -> String {
        var (time, parts) = (time_t(seconds), tm())
        gmtime_r(&time, &parts)
        func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
    }

    /// From what OpenSSL knows of a connection of which the last call failed, and noted last on this thread.
    static func noted(of ssl: OpaquePointer) -> ServerFault {
        let verdict = SSL_get_verify_result(ssl)
        if verdict != Int(X509_V_OK), SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE { return refused(verdict, ssl) }
        switch TLSFailure.notedReason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG,
            SSL_R_RECORD_LENGTH_MISMATCH, SSL_R_UNEXPECTED_MESSAGE, SSL_R_BAD_RECORD_TYPE:
            return .noTLS
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_WRONG_SSL_VERSION: return .protocolVersion
        case let reason? where reason > SSL_AD_REASON_OFFSET:
            let alert = reason - SSL_AD_REASON_OFFSET
            return alert == SSL_AD_PROTOCOL_VERSION ? .protocolVersion : .alert(UInt8(clamping: alert))
        case _:
            guard let text = ERR_reason_error_string(ERR_peek_last_error()) else { return .closed }
            return .other(String(cString: text))
        }
    }

    private static func refused(_ verdict: Int, _ ssl: OpaquePointer) -> ServerFault {
        let chain = chain(of: ssl)
        var now = time(nil)
        switch Int32(verdict) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let expired = chain.first { X509_cmp_time(X509_get0_notAfter($0.raw), &now) < 0 }
            return expired.map { .expired(atSeconds: $0.expirySeconds) } ?? .certificate("its authority's has expired")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            let early = chain.first { X509_cmp_time(X509_get0_notBefore($0.raw), &now) > 0 }
            return early.map { .notYetValid(beforeSeconds: $0.startSeconds) }
                ?? .certificate("its authority's is not yet valid")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let wanted = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
            return .otherName(wanted: wanted, found: chain.first?.serverNames ?? [])
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return .selfSigned
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return .unknownAuthority
        case _: return .certificate(String(cString: X509_verify_cert_error_string(verdict)))
        }
    }

    /// What the server showed, its own certificate first.
    private static func chain(of ssl: OpaquePointer) -> [Certificate] {
        var chain: [Certificate] = []
        while let raw = gw_peer_certificate(ssl, Int32(chain.count)) { chain.append(Certificate(owning: raw)) }
        return chain
    }
}
