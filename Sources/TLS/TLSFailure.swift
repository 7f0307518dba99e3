import COpenSSL

/// Why certificates can not be used, or a connection can not be secured; one line for people.
package struct TLSFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// What arrives is not TLS.
    package static let noTLS = TLSFailure("it does not speak TLS")

    package init(_ description: String) { self.description = description }

    /// What OpenSSL noted last on this thread, and forgets by this.
    static func noted(_ what: String) -> TLSFailure {
        var first: UInt = 0
        while case let code = ERR_get_error(), code != 0 {
            if first == 0 { first = code }
        }
        guard first != 0, let reason = ERR_reason_error_string(first) else { return TLSFailure(what) }
        return TLSFailure("\(what): \(String(cString: reason))")
    }

    /// The reason of the newest error in OpenSSL's own part, nil when there is none.
    static var notedReason: Int32? {
        let code = ERR_peek_last_error()
        return code != 0 && gw_is_ssl_error(code) == 1 ? gw_reason(code) : nil
    }
}
