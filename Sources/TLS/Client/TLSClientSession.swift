import COpenSSL

/// What a server gave to be resumed later.
package final class TLSClientSession: @unchecked Sendable {
    let raw: OpaquePointer

    init(owning raw: OpaquePointer) { self.raw = raw }

    deinit { SSL_SESSION_free(raw) }
}
