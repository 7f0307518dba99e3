import Gateway
import Glibc
import Posix

/// The gateway configuration that this node served last, kept beside its log.
///
/// A node that starts while the cluster has no quorum can not know what is committed; it serves its own address
/// with this until it does. The replicated state always wins.
struct LastKnownConfiguration {
    private let path: String

    init(dataDirectory: String) { path = "\(dataDirectory)/last-known-gateway.json5" }

    /// Whether this node has served before.
    var exists: Bool { access(path, F_OK) == 0 }

    /// nil when there is none, or none that can be read any more.
    func load() -> GatewayConfiguration? {
        guard let bytes = try? readFile(path, limit: Command.Limit.sourceBytes) else { return nil }
        do throws(ConfigurationProblems) {
            return try GatewayConfiguration.read(bytes, file: path)
        } catch {
            Log.warning("config: the last known configuration is not used: \(error)")
            return nil
        }
    }

    /// Replaces the file as a whole, so that a crash leaves the old one or the new one.
    func save(_ source: String) {
        do throws(SystemError) {
            try replaceFile(path, with: Array(source.utf8))
        } catch {
            Log.warning("config: the last known configuration is not kept: \(error)")
        }
    }
}
