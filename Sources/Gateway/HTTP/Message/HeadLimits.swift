/// Bounds of a request head. Responses are held to the greatest ones.
package struct HeadLimits: Hashable, Sendable {
    /// Start line, fields and the empty line together, at most `maximumBytes`. Beyond it: 431.
    package var bytes: Int
    /// The request line with its CRLF; RFC 9112 section 3 asks for at least 8000. Beyond it: 414.
    package var requestLineBytes: Int
    /// Field lines, at most `maximumFields`. Beyond it: 431.
    package var fields: Int

    package init(
        bytes: Int = HeadLimits.maximumBytes, requestLineBytes: Int = 8 * 1024,
        fields: Int = HeadLimits.maximumFields
    ) {
        self.bytes = bytes
        self.requestLineBytes = requestLineBytes
        self.fields = fields
    }

    package static let standard = HeadLimits()

    package static let maximumBytes = 32 * 1024
    package static let maximumFields = 128
    /// Empty lines tolerated in front of a request line, RFC 9112 section 2.2.
    package static let leadingEmptyLines = 1
}
