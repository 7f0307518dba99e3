import COpenSSL

/// One end of a secured connection on the wire of its thread: plain memory that its owner has to `free`.
package struct TLSLink: BitwiseCopyable {
    package enum Progress {
        case done
        /// More bytes of the other end are needed.
        case waits
        case failed(HandshakeFault)
    }

    package enum Reading {
        case bytes(Int)
        /// More bytes of the other end are needed.
        case nothing
        /// The other end has said that nothing more comes.
        case end
        case failed
    }

    private let ssl: OpaquePointer

    /// The end that was dialled. Nil when memory is short.
    package init?(serving server: TLSServer, on wire: TLSWire) {
        guard let ssl = gw_wire_connection(server.initial, wire.bio) else { return nil }
        self.ssl = ssl
        SSL_set_accept_state(ssl)
    }

    /// The end that dials a server at `address`, which is numeric and without a port.
    package init?(dialling address: String, as client: TLSClient, on wire: TLSWire) {
        guard let ssl = client.makeConnection(address: address, bio: wire.bio) else { return nil }
        self.ssl = ssl
    }

    package func free() { gw_free_keeping_session(ssl) }

    /// Why the last call failed, at the end that dialled: to be asked before anything else is done on this thread.
    package var serverFault: ServerFault { ServerFault.noted(of: ssl) }

    package func shakeHands() -> Progress {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 { return .done }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .waits
        default: return .failed(HandshakeFault.noted(verification: SSL_get_verify_result(ssl)))
        }
    }

    @inline(__always)
    package func read(into target: UnsafeMutableRawBufferPointer) -> Reading {
        ERR_clear_error()
        var count = 0
        let result = SSL_read_ex(ssl, target.baseAddress, target.count, &count)
        if result == 1 { return .bytes(count) }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .nothing
        case SSL_ERROR_ZERO_RETURN: return .end
        default: return .failed
        }
    }

    /// Whether decrypted bytes wait to be read.
    @inline(__always)
    package var hasPending: Bool { SSL_pending(ssl) > 0 }

    /// False when the connection is broken.
    @inline(__always)
    package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        ERR_clear_error()
        var count = 0
        return SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &count) == 1
    }

    /// Says that nothing more is sent.
    package func sayEnd() {
        ERR_clear_error()
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// What a later connection to the same server can resume; nil where there is nothing.
    package func takeSession() -> TLSClientSession? {
        guard let session = SSL_get1_session(ssl) else { return nil }
        if SSL_SESSION_is_resumable(session) == 1 { return TLSClientSession(owning: session) }
        SSL_SESSION_free(session)
        return nil
    }

    /// Offers a session, before the handshake, unless the certificate in it has expired.
    package func resume(_ session: TLSClientSession) {
        if gw_session_is_outdated(session.raw) == 0 { SSL_set_session(ssl, session.raw) }
    }

    package var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    /// The subject of the other end's verified certificate, as RFC 4514 writes it, in ASCII. Empty without one.
    package func peerSubject(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        Int(gw_peer_subject(ssl, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count)))
    }
}
