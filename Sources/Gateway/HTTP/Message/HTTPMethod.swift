/// A request method, RFC 9110 section 9. Methods without a case of their own are forwarded as `other`.
package enum HTTPMethod: UInt8, Sendable, CaseIterable {
    case get, head, post, put, delete, options, patch, connect, trace, other

    /// Whether a request may be repeated when its first attempt was lost, RFC 9110 section 9.2.2.
    package var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }
}

/// The minor version of HTTP/1. Minor versions above 1 are treated as 1.1, RFC 9110 section 2.5.
package enum HTTPVersion: UInt8, Sendable {
    case http10, http11
}
