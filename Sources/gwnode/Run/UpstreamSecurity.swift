import Gateway
import Posix
import TLS

/// Keeps what backends are reached with as its files are: reads them when the configuration or a file changes. Confined to
/// the control thread.
///
/// Settings name themselves here: those that change do not inherit what others were made of, so that a stricter
/// configuration whose files can not be used does not leave the laxer one in force.
final class UpstreamSecurity {
    private typealias Files = CertificateFiles<TLSClientSettings, TLSClientSettings, TLSClient>

    private var files: Files

    init() {
        files = Files(
            paths: { $0.paths }, read: { _, settings throws(TLSFailure) in try TLSClient(settings) },
            told: { settings, entry in
                guard let problem = entry.problem else { return }
                Log.error("tls: \(Self.describe(problem, entry))")
            })
    }

    func adopt(_ gateway: GatewayConfiguration) {
        let wanted = Set(gateway.upstreams.compactMap(\.tls))
        files.adopt(Dictionary(uniqueKeysWithValues: wanted.map { ($0, $0) }))
    }

    /// Reads the files that have changed. True when there were some.
    func refresh() -> Bool { files.refresh() }

    func reload() { files.reload() }

    /// What there is now.
    var securities: BackendSecurities {
        BackendSecurities(
            files.entries.mapValues { entry in
                if let client = entry.made { return .tls(client) }
                return .unusable(entry.problem.map { Self.describe($0, entry) } ?? "its files were not read yet")
            })
    }

    /// What is wrong with the files.
    var problems: [String] {
        files.entries.values.compactMap { entry in entry.problem.map { Self.describe($0, entry) } }.sorted()
    }

    private static func describe(_ problem: TLSFailure, _ entry: Files.Entry) -> String {
        let consequence = entry.made == nil ? "they are not reached" : "the former ones stay in force"
        return "the files for TLS to backends can not be used, \(consequence): \(problem)"
    }
}
