import COpenSSL

/// One secured connection, without a socket: bytes of the wire go in and come out, and so does the plain text.
package final class TLSSession {
    package enum Role {
        /// The end that dialled.
        case client
        case server
    }

    package enum State: Hashable {
        case handshake
        case open
        /// The other end has said that nothing more comes.
        case closed
    }

    package private(set) var state = State.handshake
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let context: TLSContext

    /// The largest plain text of a record (RFC 8446, section 5.1).
    private static let recordBytes = 16 << 10
    /// What a record adds: header, content type and tag (RFC 8446, section 5.2).
    private static let recordOverhead = 22

    package init(_ context: TLSContext, _ role: Role) throws(TLSFailure) {
        guard let ssl = SSL_new(context.raw), let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem())
        else { throw .noted("a connection can not be secured") }
        self.context = context
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        SSL_set_bio(ssl, incoming, outgoing)
        switch role {
        case .client: SSL_set_connect_state(ssl)
        case .server: SSL_set_accept_state(ssl)
        }
    }

    deinit { SSL_free(ssl) }

    /// Sets the handshake going; only the client has something to say at first.
    package func begin() throws(TLSFailure) { try shakeHands() }

    /// Takes what came from the wire, and hands over the plain text in it, piece by piece. What is to be sent in
    /// answer, an alert included, comes from `takeOutput`, after an error too.
    package func receive(
        _ bytes: UnsafeRawBufferPointer, into plainText: (UnsafeRawBufferPointer) -> Void
    ) throws(TLSFailure) {
        guard BIO_write(incoming, bytes.baseAddress, Int32(bytes.count)) == Int32(bytes.count) else {
            throw .noted("what arrived can not be kept")
        }
        if state == .handshake { try shakeHands() }
        if state == .open { try decrypt(plainText) }
    }

    /// Encrypts; only when open.
    package func send(_ plainText: [UInt8]) throws(TLSFailure) {
        precondition(state != .handshake, "nothing is sent before the other end is known")
        if plainText.isEmpty { return }
        ERR_clear_error()
        guard SSL_write(ssl, plainText, Int32(plainText.count)) == Int32(plainText.count) else {
            throw .noted("not encrypted")
        }
    }

    /// What has to go to the wire.
    package func takeOutput(_ body: (UnsafeRawBufferPointer) -> Void) {
        var start: UnsafePointer<UInt8>?
        let count = gw_bytes(outgoing, &start)
        if count > 0 { body(UnsafeRawBufferPointer(start: start, count: count)) }
        BIO_ctrl(outgoing, BIO_CTRL_RESET, 0, nil)
    }

    /// At the most so many bytes go to the wire for a plain text of this size.
    package static func wireBytes(of plainBytes: Int) -> Int {
        plainBytes + (plainBytes / recordBytes + 1) * recordOverhead
    }

    /// The URIs in the certificate of the other end, once that is known.
    package var peerURIs: [String] { SSL_get1_peer_certificate(ssl).map { Certificate(owning: $0).uris } ?? [] }

    private func shakeHands() throws(TLSFailure) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 { state = .open } else { try check(result) }
    }

    private func decrypt(_ plainText: (UnsafeRawBufferPointer) -> Void) throws(TLSFailure) {
        let result = withUnsafeTemporaryAllocation(byteCount: Self.recordBytes, alignment: 16) { buffer in
            while true {
                ERR_clear_error()
                let count = SSL_read(ssl, buffer.baseAddress, Int32(buffer.count))
                if count <= 0 { return count }
                plainText(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
            }
        }
        try check(result)
    }

    /// Sorts out why OpenSSL did not go on.
    private func check(_ result: Int32) throws(TLSFailure) {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
        case SSL_ERROR_ZERO_RETURN: state = .closed
        default: throw failure
        }
    }

    private var failure: TLSFailure {
        let verdict = SSL_get_verify_result(ssl)
        if verdict != Int(X509_V_OK) {
            _ = TLSFailure.noted("")
            return TLSFailure("its certificate is refused: \(String(cString: X509_verify_cert_error_string(verdict)))")
        }
        switch TLSFailure.notedReason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG,
            SSL_R_RECORD_LENGTH_MISMATCH, SSL_R_UNEXPECTED_MESSAGE:
            ERR_clear_error()
            return .noTLS
        case let reason? where reason > SSL_AD_REASON_OFFSET:
            ERR_clear_error()
            return TLSFailure("\(ServerFault.alert(UInt8(clamping: reason - SSL_AD_REASON_OFFSET)))")
        case _: return .noted("TLS")
        }
    }
}
