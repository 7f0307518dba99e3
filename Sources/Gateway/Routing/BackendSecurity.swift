import TLS

/// How connections to the backends of an upstream are secured.
package enum BackendSecurity: Hashable, Sendable {
    case plain
    case tls(TLSClient)
    /// This node can not use its files, for this reason: the backends are not reached, least of all without TLS.
    case unusable(String)

    package var client: TLSClient? {
        switch self {
        case .tls(let client): client
        case .plain, .unusable: nil
        }
    }

    package var isUsable: Bool {
        switch self {
        case .plain, .tls: true
        case .unusable: false
        }
    }
}

/// The same for all upstreams, as the files of this node are. Upstreams of the same settings share what is made of them.
package struct BackendSecurities: Hashable, Sendable {
    private let bySettings: [TLSClientSettings: BackendSecurity]

    package init(_ bySettings: [TLSClientSettings: BackendSecurity]) { self.bySettings = bySettings }

    package static let none = BackendSecurities([:])

    package func security(of upstream: Upstream) -> BackendSecurity {
        guard let settings = upstream.tls else { return .plain }
        return bySettings[settings] ?? .unusable("the files of its tls were not read yet")
    }
}
