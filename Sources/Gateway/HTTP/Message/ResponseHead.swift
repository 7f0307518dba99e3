/// A parsed response head. It owns no bytes.
package struct ResponseHead: Hashable, Sendable {
    /// What the exchange has to know; the rest is for writing.
    package var traits = ResponseTraits()
    /// The reason phrase as sent, possibly empty.
    package var reason = ByteSlice.empty
    /// The stated Content-Length, also where it frames nothing (HEAD, 304).
    package var contentLength: UInt64?
    package var connectionNamesFields = false
    package var hasDate = false
    /// Filled entries of the field table.
    package var fieldCount = 0
    /// Bytes from the first of the message to the end of the empty line.
    package var byteCount = 0
}

/// What framing and persistence decisions need of a response.
package struct ResponseTraits: Hashable, Sendable {
    /// 100 to 599.
    package var status: UInt16 = 200
    package var version = HTTPVersion.http11
    /// How the body ends on the connection to the backend.
    package var framing = BodyFraming.none
    /// The backend will take another request on this connection.
    package var isPersistent = true

    package init() {}

    /// 1xx: another response to the same request follows, except after 101.
    package var isInterim: Bool { status < 200 }
}
