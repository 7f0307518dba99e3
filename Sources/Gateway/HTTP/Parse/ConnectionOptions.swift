/// What the Connection fields of one head say, RFC 9110 section 7.6.1.
struct ConnectionOptions {
    private(set) var close = false
    private(set) var keepAlive = false
    private(set) var upgrade = false
    /// Names a field that would otherwise be forwarded.
    private(set) var namesFields = false

    mutating func add(_ bytes: RawSpan, _ value: ByteSlice) throws(ParseStop) {
        var position = value.start
        while let element = ListElements.next(bytes, at: &position, to: value.end) {
            guard !element.isEmpty else { continue }
            guard ListElements.isToken(bytes, element) else { throw .fault(.invalidConnection) }
            if Scan.matches(bytes, element, "close") {
                close = true
            } else {
                add(.classify(bytes, element))
            }
        }
    }

    private mutating func add(_ named: KnownField) {
        switch named {
        case .keepAlive: keepAlive = true
        case .upgrade: upgrade = true
        case .host, .connection, .contentLength, .transferEncoding, .te, .trailer, .http2Settings, .proxyConnection:
            break
        case .unknown, .expect, .date, .forwardedFor, .forwardedProto, .forwardedHost, .forwarded, .maxForwards,
            .traceparent, .tracestate, .clientCertificateSubject:
            namesFields = true
        }
    }

    /// Whether the sender keeps the connection open after this message, RFC 9112 section 9.3.
    func isPersistent(version: HTTPVersion) -> Bool {
        switch version {
        case .http10: keepAlive && !close
        case .http11: !close
        }
    }
}
