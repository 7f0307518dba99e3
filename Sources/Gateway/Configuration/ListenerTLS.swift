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
    /// What is wrong with the files of certificates and keys on this node, those of listeners and those that upstreams
    /// are reached with; empty when all can be used.
    package var certificateProblems: [String] { listenerProblems + upstreamProblems }

    private var upstreamProblems: [String] {
        // Many upstreams may have the same settings, of which the system's authorities take a while to read.
        var known: [TLSClientSettings: String?] = [:]
        return upstreams.enumerated().compactMap { index, upstream in
            guard let settings = upstream.tls else { return nil }
            let problem = known[settings] ?? problem(of: settings)
            known[settings] = .some(problem)
            return problem.map { "upstreams[\(index)].tls: \($0)" }
        }
    }

    private func problem(of settings: TLSClientSettings) -> String? {
        do throws(TLSFailure) {
            _ = try TLSClient(settings)
            return nil
        } catch { return "\(error)" }
    }

    private var listenerProblems: [String] {
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
