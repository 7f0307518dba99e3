import Posix

/// What a proxy says of a connection before anything else is sent on it: whose it is (the PROXY protocol, versions 1 and 2,
/// https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
package struct ProxyHeader: Hashable, Sendable {
    /// The longest header that is read, extensions included. Without them one of version 1 has at most 107 bytes, one of
    /// version 2 at most 232.
    package static let maximumBytes = 4096

    /// How long it was.
    package var byteCount: Int
    /// Nil: the connection is the proxy's own, or the proxy can not tell whose it is.
    package var client: SocketAddress?

    package init(byteCount: Int, client: SocketAddress?) {
        self.byteCount = byteCount
        self.client = client
    }
}

/// How far the bytes of a connection give its header.
package enum ProxyHeaderParse: Hashable, Sendable {
    case complete(ProxyHeader)
    case incomplete
    case invalid(ProxyHeaderFault)
}

/// Why a connection that has to begin with a header was refused.
package enum ProxyHeaderFault: Int, Hashable, Sendable, CaseIterable {
    /// Its peer is not among those that are believed.
    case untrustedSource
    /// It begins with something else.
    case missing
    case malformed
    case tooLong
    /// It ended within the header.
    case aborted
    /// The header took too long.
    case timeout

    /// For metrics and the log.
    package var name: String {
        switch self {
        case .untrustedSource: "untrusted_source"
        case .missing: "missing"
        case .malformed: "malformed"
        case .tooLong: "too_long"
        case .aborted: "aborted"
        case .timeout: "timeout"
        }
    }
}

/// The versions of the protocol; the raw value is the name in files.
package enum ProxyHeaderVersion: String, Hashable, Sendable, CaseIterable {
    /// A line of text.
    case v1
    /// Binary.
    case v2
}
