import Posix
import TLS

/// How a listener is secured. Certificates and keys are files of each node: keys are never replicated.
package struct ListenerTLS: Hashable, Sendable {
    /// What browsers are told to remember, RFC 6797.
    package struct StrictTransport: Hashable, Sendable {
        /// Whole seconds.
        package var maximumAge: Nanoseconds
        package var includesSubdomains: Bool
        package var isPreloaded: Bool

        package init(maximumAge: Nanoseconds, includesSubdomains: Bool = false, isPreloaded: Bool = false) {
            self.maximumAge = maximumAge
            self.includesSubdomains = includesSubdomains
            self.isPreloaded = isPreloaded
        }

        /// The whole field line.
        package var line: String {
            "Strict-Transport-Security: max-age=\(maximumAge.count / 1_000_000_000)"
                + (includesSubdomains ? "; includeSubDomains" : "") + (isPreloaded ? "; preload" : "") + "\r\n"
        }
    }

    package var settings: TLSServerSettings
    package var strictTransport: StrictTransport?

    package init(_ settings: TLSServerSettings, strictTransport: StrictTransport? = nil) {
        self.settings = settings
        self.strictTransport = strictTransport
    }
}

extension GatewayConfiguration {
    /// What is wrong with the files that the listeners' certificates are in, on this node; empty when all can be used.
    package var certificateProblems: [String] {
        listeners.enumerated().compactMap { index, listener in
            guard let tls = listener.tls else { return nil }
            do throws(TLSFailure) {
                _ = try TLSServer(tls.settings, name: listener.name, tickets: TicketKeys())
                return nil
            } catch { return "listeners[\(index)].tls: \(error)" }
        }
    }

    /// The port of a listener.
    func port(of listener: String) -> UInt16? { listeners.first { $0.name == listener }?.port }
}
