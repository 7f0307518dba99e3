/// A parsed request head: where its parts lie in the message, and what they mean. It owns no bytes.
package struct RequestHead: Hashable, Sendable {
    /// What the exchange has to know; the rest is for routing and writing.
    package var traits = RequestTraits()
    /// The method as sent.
    package var methodName = ByteSlice.empty
    /// The normalised path, never empty; of asterisk-form it is `/`. See `PathNormalizer`.
    package var path = ByteSlice.empty
    /// The query without its question mark, as sent.
    package var query = ByteSlice.empty
    package var hasQuery = false
    /// `OPTIONS *`, or OPTIONS of an absolute target without path and query, RFC 9112 section 3.2.4.
    package var isAsterisk = false
    /// The target named an authority itself, which replaces the Host field, RFC 9112 section 3.2.2.
    package var isAbsolute = false
    /// Host and port as sent; empty only for HTTP/1.0 requests without Host.
    package var authority = ByteSlice.empty
    /// The part of `authority` in front of the port, brackets of an IPv6 address included.
    package var host = ByteSlice.empty
    /// Connection names fields other than the ones that are always removed.
    package var connectionNamesFields = false
    /// There is a Forwarded field.
    package var hasForwarded = false
    /// There is a traceparent or tracestate field.
    package var hasTraceFields = false
    /// How many hops an OPTIONS request may still go, RFC 9110 section 7.6.2; 0: this one answers it. Nil for other
    /// methods, which go on with the field as it is.
    package var maxForwards: UInt32?
    /// Filled entries of the field table.
    package var fieldCount = 0
    /// Bytes from the first of the message to the end of the empty line.
    package var byteCount = 0
}

/// What framing, persistence and retry decisions need of a request.
package struct RequestTraits: Hashable, Sendable {
    package var method = HTTPMethod.get
    package var version = HTTPVersion.http11
    package var framing = BodyFraming.none
    /// The client can use the connection for another request.
    package var isPersistent = true
    /// `Expect: 100-continue` on an HTTP/1.1 request with a body, RFC 9110 section 10.1.1.
    package var expectsContinue = false
    /// An upgrade that may be forwarded: HTTP/1.1, no body, and not to cleartext HTTP/2.
    package var wantsUpgrade = false

    package init() {}
}
