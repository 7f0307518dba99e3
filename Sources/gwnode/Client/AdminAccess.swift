import Gateway
import Glibc
import Posix

/// Which nodes a command asks, as the command line has it.
package struct AdminAccess: Hashable, Sendable {
    /// From `--admin`.
    package var addresses: [HostPort]?
    /// From `--config`.
    package var configPath: String?

    package init(addresses: [HostPort]?, configPath: String?) {
        self.addresses = addresses
        self.configPath = configPath
    }

    /// Where the demo and the shipped three-node configuration have them.
    package static let standard = (UInt16(8091)...8093).map { HostPort(host: "127.0.0.1", port: $0) }

    /// Reads `HOST:PORT[,...]`; `source` says where it is from.
    package static func addresses(_ list: String, source: String) throws(UsageError) -> [HostPort] {
        var addresses: [HostPort] = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            guard let address = HostPort(parsing: String(part)) else {
                let text = Terminal.printable(String(part))
                throw UsageError("\(source): \"\(text)\" is not HOST:PORT, as in 127.0.0.1:8091")
            }
            addresses.append(address)
        }
        return addresses
    }

    /// The addresses to ask, in order. `environment` is the value of GWNODE_ADMIN.
    package func resolve(environment: String?) throws(CommandFailure) -> [HostPort] {
        if let addresses { return addresses }
        if let configPath {
            let bytes = try File.read(configPath)
            do throws(ConfigurationProblems) {
                return try NodeConfiguration.read(bytes, file: configPath).peers.map(\.admin)
            } catch {
                throw CommandFailure(.failure, lines: error.problems.map(\.description))
            }
        }
        guard let environment, !environment.isEmpty else { return Self.standard }
        do throws(UsageError) { return try Self.addresses(environment, source: "GWNODE_ADMIN") } catch {
            throw CommandFailure(.usage, error.description)
        }
    }
}
