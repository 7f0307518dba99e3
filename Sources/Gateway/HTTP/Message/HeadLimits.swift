/// Bounds of a message head, the same for requests and responses.
package enum HeadLimits {
    /// Start line, fields and the empty line together. Beyond it: 431, or 502 for a response.
    package static let bytes = 32 * 1024
    /// The request line with its CRLF; RFC 9112 section 3 asks for at least 8000. Beyond it: 414.
    package static let requestLineBytes = 8 * 1024
    /// Field lines. Beyond it: 431, or 502 for a response.
    package static let fields = 128
    /// Empty lines tolerated in front of a request line, RFC 9112 section 2.2.
    package static let leadingEmptyLines = 1
}
