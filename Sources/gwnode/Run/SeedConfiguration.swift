import Gateway
import Posix

/// The gateway file that a node proposes as revision 1 while the cluster has no configuration.
struct SeedConfiguration: Sendable {
    let path: String
    private let source: String
    private let configuration: GatewayConfiguration

    enum Failure: Error, CustomStringConvertible {
        case unreadable(SystemError)
        case invalid(ConfigurationProblems)

        var description: String {
            switch self {
            case .unreadable(let error): "\(error); \(error.cure): the node file's `gatewayFile` names it"
            case .invalid(let problems): problems.description
            }
        }
    }

    init(path: String) throws(Failure) {
        self.path = path
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(path, limit: Command.Limit.sourceBytes) } catch {
            throw .unreadable(error)
        }
        do throws(ConfigurationProblems) {
            configuration = try GatewayConfiguration.read(bytes, file: path)
        } catch {
            throw .invalid(error)
        }
        source = String(decoding: bytes, as: UTF8.self)
    }

    /// Applies only if there is no configuration yet.
    var command: Command {
        .applyConfiguration(
            ConfigurationChange(
                source: source, configuration: configuration, expectedRevision: Revision.none, author: path,
                at: .now()))
    }
}
