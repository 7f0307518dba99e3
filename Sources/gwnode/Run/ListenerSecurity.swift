import Gateway
import Posix
import TLS

/// Keeps the listeners' certificates as their files are: reads them when the configuration or a file changes. Files that
/// can not be used change nothing for a listener that has others; one that has none does not listen. Confined to the
/// control thread.
final class ListenerSecurity {
    private struct Secured {
        let settings: TLSServerSettings
        /// Of the files when they were read last, good or not.
        var fingerprints: [FileFingerprint]
        /// Nil while there are no files that can be used.
        var server: TLSServer?
    }

    private static let refreshPause = Nanoseconds.seconds(1)

    private let node: NodeConfiguration
    private let publish: (ListenerTermsPlan) -> Void
    private let tickets = TicketKeys()
    private var keyring = TicketKeyring()
    private var listeners: [Listener] = []
    private var ports: [String: UInt16] = [:]
    private var secured: [String: Secured] = [:]
    private var refreshesAt = Instant.zero

    init(node: NodeConfiguration, publish: @escaping (ListenerTermsPlan) -> Void) {
        self.node = node
        self.publish = publish
    }

    func adopt(_ gateway: GatewayConfiguration) {
        listeners = gateway.listeners
        ports = Dictionary(uniqueKeysWithValues: listeners.map { ($0.name, $0.port) })
        let names = Set(listeners.filter { $0.tls != nil }.map(\.name))
        secured = secured.filter { names.contains($0.key) }
        for listener in listeners {
            guard let settings = listener.tls?.settings, secured[listener.name]?.settings != settings else { continue }
            read(settings, of: listener.name)
        }
        publish(plan)
    }

    /// Takes the cluster's keys of session tickets, once there are any.
    func adopt(_ keyring: TicketKeyring) {
        guard keyring != self.keyring, !keyring.entries.isEmpty else { return }
        self.keyring = keyring
        tickets.set(keyring.entries.map(\.key))
        Log.info("tls: session tickets have a new key of the cluster's")
    }

    /// Reads the files that have changed, looking once a second at the most.
    func refresh() {
        guard Instant.now() >= refreshesAt else { return }
        refreshesAt = .now() + Self.refreshPause
        let changed = secured.filter { $0.value.fingerprints != Self.fingerprints(of: $0.value.settings) }
        if changed.isEmpty { return }
        for (name, former) in changed { read(former.settings, of: name) }
        publish(plan)
    }

    func reload() {
        for (name, former) in secured { read(former.settings, of: name) }
        publish(plan)
    }

    private func read(_ settings: TLSServerSettings, of name: String) {
        let former = secured[name]?.server
        var next = Secured(settings: settings, fingerprints: Self.fingerprints(of: settings), server: former)
        do throws(TLSFailure) {
            next.server = try TLSServer(settings, name: name, tickets: tickets)
            Log.info("tls: listener \(name): \(settings.certificates.count) certificates are in force")
        } catch {
            let consequence = former == nil ? "it does not listen" : "the former ones stay in force"
            Log.error("tls: listener \(name): its certificates can not be used, \(consequence): \(error)")
        }
        secured[name] = next
    }

    private static func fingerprints(of settings: TLSServerSettings) -> [FileFingerprint] {
        settings.paths.map(FileFingerprint.init)
    }

    private var plan: ListenerTermsPlan {
        var plan = ListenerTermsPlan()
        for listener in listeners {
            let terms = terms(of: listener)
            plan.set(terms, port: listener.port)
            if let own = node.listen[listener.name] { plan.set(terms, at: own) }
        }
        return plan
    }

    private func terms(of listener: Listener) -> ListenerTerms? {
        if let target = listener.redirectTo {
            return ListenerTerms(redirectPort: ports[target] ?? 0, proxies: listener.proxies)
        }
        guard let tls = listener.tls else {
            return listener.proxies.isEmpty ? .plain : ListenerTerms(proxies: listener.proxies)
        }
        guard let server = secured[listener.name]?.server else { return nil }
        return ListenerTerms(
            server: server, addedFields: tls.strictTransport?.line ?? "", proxies: listener.proxies)
    }
}
