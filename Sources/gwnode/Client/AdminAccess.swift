import Gateway
import Glibc
import Posix
import TLS

/// Which nodes a command asks, as the command line has it.
package struct AdminAccess: Hashable, Sendable {
    /// From `--admin`.
    package var addresses: [AdminPlace]?
    /// From `--config`.
    package var configPath: String?

    /// From `--token-file`.
    package var tokenPath: String?
    /// From `--ca`, `--certificate` and `--key`.
    package var certificate: NodeCertificateFiles?

    package init(
        addresses: [AdminPlace]?, configPath: String?, tokenPath: String? = nil,
        certificate: NodeCertificateFiles? = nil
    ) {
        self.addresses = addresses
        self.configPath = configPath
        self.tokenPath = tokenPath
        self.certificate = certificate
    }

    /// Where the demo and the shipped three-node configuration have them.
    package static let standard = (UInt16(8091)...8093).map { AdminPlace.tcp(HostPort(host: "127.0.0.1", port: $0)) }

    /// Reads `HOST:PORT[,...]`, or `unix:PATH` among them; `source` says where it is from.
    package static func addresses(_ list: String, source: String) throws(UsageError) -> [AdminPlace] {
        var addresses: [AdminPlace] = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            guard let address = AdminPlace(parsing: String(part)) else {
                let text = Terminal.printable(String(part))
                throw UsageError("\(source): \"\(text)\" is not HOST:PORT, as in 127.0.0.1:8091, nor unix:PATH")
            }
            addresses.append(address)
        }
        return addresses
    }

    /// This machine's socket first: those of the peers are on others.
    private static func addresses(of node: NodeConfiguration) -> [AdminPlace] {
        var addresses: [AdminPlace] = []
        if case .unix = node.admin { addresses.append(node.admin) }
        for peer in node.peers where !addresses.contains(peer.admin) { addresses.append(peer.admin) }
        return addresses
    }

    /// What stands in the environment: GWNODE_ADMIN and GWNODE_TOKEN_FILE; an empty value is none.
    package struct Environment: Sendable {
        var addresses: String?
        var tokenPath: String?

        package init(addresses: String? = nil, tokenPath: String? = nil) {
            self.addresses = addresses?.isEmpty == true ? nil : addresses
            self.tokenPath = tokenPath?.isEmpty == true ? nil : tokenPath
        }
    }

    /// The nodes to ask, in order, with the token to show. The token of a node file counts unless another is named.
    /// What is asked `ofOneNode` may be answered by no other.
    package func client(
        _ environment: Environment, ofOneNode: Bool = false
    ) throws(CommandFailure) -> ClusterClient {
        var addresses = addresses ?? Self.standard
        var tokenPath = tokenPath ?? environment.tokenPath
        var certificate = certificate
        if let configPath {
            let bytes = try File.read(configPath, as: .node)
            do throws(ConfigurationProblems) {
                let node = try NodeConfiguration.read(bytes, file: configPath)
                addresses = ofOneNode ? [node.admin] : Self.addresses(of: node)
                tokenPath = tokenPath ?? node.adminToken
                if node.adminTLS { certificate = certificate ?? node.certificate }
            } catch {
                throw CommandFailure(.failure, lines: error.problems.map(\.description))
            }
        } else if self.addresses == nil, let list = environment.addresses {
            do throws(UsageError) { addresses = try Self.addresses(list, source: "GWNODE_ADMIN") } catch {
                throw CommandFailure(.usage, error.description)
            }
        }
        if ofOneNode && addresses.count != 1 {
            throw CommandFailure(.usage, "this concerns one node: name it by --config FILE or --admin ADDRESS")
        }
        return ClusterClient(
            addresses: addresses, token: try Self.token(tokenPath), identity: try Self.identity(certificate))
    }

    private static func token(_ path: String?) throws(CommandFailure) -> AdminToken? {
        guard let path else { return nil }
        do throws(AdminTokenError) { return try AdminToken(file: path) } catch {
            throw CommandFailure(.failure, error.description)
        }
    }

    private static func identity(_ files: NodeCertificateFiles?) throws(CommandFailure) -> AdminIdentity? {
        guard let files else { return nil }
        do throws(TLSFailure) { return try AdminIdentity(files) } catch {
            throw CommandFailure(.failure, error.description)
        }
    }
}
