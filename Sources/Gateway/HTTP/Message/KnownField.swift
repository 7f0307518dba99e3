/// Fields that this gateway acts on, told apart while a head is parsed so that no later step searches by name.
package enum KnownField: UInt8, Sendable {
    case unknown
    case host, connection, contentLength, transferEncoding, te, trailer, upgrade, http2Settings
    case expect, keepAlive, proxyConnection, date
    case forwardedFor, forwardedProto, forwardedHost, forwarded, maxForwards
    case traceparent, tracestate
    case clientCertificateSubject
}
