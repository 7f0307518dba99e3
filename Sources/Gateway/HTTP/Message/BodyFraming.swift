/// How the end of a message body is found, RFC 9112 section 6.3.
package enum BodyFraming: Hashable, Sendable {
    case none
    /// Exactly so many bytes follow. A length of zero was stated by the sender, unlike `none`.
    case length(UInt64)
    case chunked
    /// The body ends with the connection. Responses only.
    case untilClose

    /// Whether no byte of a body follows the head.
    package var isEmpty: Bool {
        switch self {
        case .none: true
        case .length(let count): count == 0
        case .chunked, .untilClose: false
        }
    }
}
