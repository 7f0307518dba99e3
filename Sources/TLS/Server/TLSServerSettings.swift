import COpenSSL

/// How a listener secures its clients' connections. Files are named, and read on each node.
package struct TLSServerSettings: Hashable, Sendable {
    package enum MinimumVersion: String, CaseIterable, Sendable {
        case tls12 = "1.2"
        case tls13 = "1.3"

        /// As OpenSSL counts.
        var number: Int32 {
            switch self {
            case .tls12: TLS1_2_VERSION
            case .tls13: TLS1_3_VERSION
            }
        }
    }

    /// Mozilla's "Server Side TLS", https://wiki.mozilla.org/Security/Server_Side_TLS.
    package enum Profile: String, CaseIterable, Sendable {
        case intermediate
        /// TLS 1.3 alone.
        case modern
    }

    package enum UnknownName: String, CaseIterable, Sendable {
        /// The first certificate is shown.
        case firstCertificate = "default"
        /// The handshake ends with the alert unrecognized_name; a client that names none is refused too.
        case refuse
    }

    /// A certificate, with those between it and its authority's, and its key, in PEM.
    package struct KeyPair: Hashable, Sendable {
        package var certificate: String
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    package struct ClientCertificates: Hashable, Sendable {
        package enum Mode: String, CaseIterable, Sendable {
            case optional
            case required
        }

        /// Certificates of those that sign clients' ones, in PEM.
        package var authority: String
        package var mode: Mode

        package init(authority: String, mode: Mode) {
            self.authority = authority
            self.mode = mode
        }
    }

    /// At least one.
    package var certificates: [KeyPair]
    package var minimumVersion: MinimumVersion
    package var profile: Profile
    package var unknownName: UnknownName
    package var clientCertificates: ClientCertificates?
    /// Whether clients may resume their sessions by tickets.
    package var givesTickets: Bool

    package init(
        certificates: [KeyPair], minimumVersion: MinimumVersion = .tls12, profile: Profile = .intermediate,
        unknownName: UnknownName = .firstCertificate, clientCertificates: ClientCertificates? = nil,
        givesTickets: Bool = true
    ) {
        self.certificates = certificates
        self.minimumVersion = minimumVersion
        self.profile = profile
        self.unknownName = unknownName
        self.clientCertificates = clientCertificates
        self.givesTickets = givesTickets
    }

    /// All files that they name.
    package var paths: [String] {
        certificates.flatMap { [$0.certificate, $0.key] } + (clientCertificates.map { [$0.authority] } ?? [])
    }
}
