import Gateway
import Posix
import TLS

/// Keeps the listeners' certificates as their files are: reads them when the configuration or a file changes. Files that
/// can not be used change nothing for a listener that has others; one that has none does not listen. Confined to the
/// control thread.
final class ListenerSecurity {
    private let node: NodeConfiguration
    private let publish: (ListenerTermsPlan) -> Void
    private let tickets = TicketKeys()
    private var keyring = TicketKeyring()
    private var listeners: [Listener] = []
    private var ports: [String: UInt16] = [:]
    private var files: CertificateFiles<String, TLSServerSettings, TLSServer>

    init(node: NodeConfiguration, publish: @escaping (ListenerTermsPlan) -> Void) {
        self.node = node
        self.publish = publish
        files = CertificateFiles(
            paths: { $0.paths },
            read: { [tickets] name, settings throws(TLSFailure) in
                try TLSServer(settings, name: name, tickets: tickets)
            },
            told: { name, entry in
                if let problem = Self.problem(name, entry) { return Log.error("tls: \(problem)") }
                Log.info("tls: listener \(name): \(entry.settings.certificates.count) certificates are in force")
            })
    }

    /// What is wrong with the listeners' files.
    var problems: [String] { files.entries.sorted { $0.key < $1.key }.compactMap(Self.problem) }

    private static func problem(
        _ name: String, _ entry: CertificateFiles<String, TLSServerSettings, TLSServer>.Entry
    ) -> String? {
        guard let problem = entry.problem else { return nil }
        let consequence = entry.made == nil ? "it does not listen" : "the former ones stay in force"
        return "listener \(name): its certificates can not be used, \(consequence): \(problem)"
    }

    func adopt(_ gateway: GatewayConfiguration) {
        listeners = gateway.listeners
        ports = Dictionary(uniqueKeysWithValues: listeners.map { ($0.name, $0.port) })
        files.adopt(
            Dictionary(
                uniqueKeysWithValues: listeners.compactMap { listener in
                    listener.tls.map { (listener.name, $0.settings) }
                }))
        publish(plan)
    }

    /// Takes the cluster's keys of session tickets, once there are any.
    func adopt(_ keyring: TicketKeyring) {
        guard keyring != self.keyring, !keyring.entries.isEmpty else { return }
        self.keyring = keyring
        tickets.set(keyring.entries.map(\.key))
        Log.info("tls: session tickets have a new key of the cluster's")
    }

    /// Reads the files that have changed. True when there were some.
    func refresh() -> Bool {
        let hasChanged = files.refresh()
        if hasChanged { publish(plan) }
        return hasChanged
    }

    func reload() {
        files.reload()
        publish(plan)
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
        guard let server = files.entries[listener.name]?.made else { return nil }
        return ListenerTerms(
            server: server, addedFields: tls.strictTransport?.line ?? "", proxies: listener.proxies)
    }
}
