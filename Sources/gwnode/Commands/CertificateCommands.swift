import Gateway
import Glibc
import Posix
import Raft
import TLS

/// `gwnode certificates init` and `issue`.
enum CertificateCommands {
    static func makeAuthority(in directory: String, days: Int) throws(CommandFailure) -> ExitCode {
        let files = AuthorityFiles(directory: directory)
        try refuseExisting([files.certificate, files.key], cure: "use another --directory")
        let (authority, key) = try explaining { () throws(TLSFailure) in
            try CertificateAuthority.make(name: "gwnode certificate authority", days: days)
        }
        try writing { () throws(SystemError) in
            try makeDirectories(directory)
            try replaceFile(files.key, with: key.text)
            try replaceFile(files.certificate, with: authority.certificate.text, mode: 0o644)
        }
        Terminal.write(
            """
            \(files.certificate): every node needs it
            \(files.key): keep it secret, and off the nodes
            Next: gwnode certificates issue NODEFILE --directory \(directory)

            """)
        return .success
    }

    static func issue(
        in directory: String, nodeFile: String, only node: UInt64?, days: Int, renew: Bool
    ) throws(CommandFailure) -> ExitCode {
        let configuration = try read(nodeFile)
        let peers = configuration.peers.filter { node == nil || $0.id.number == node }
        guard !peers.isEmpty else {
            let known = configuration.peers.map { "\($0.id)" }.joined(separator: ", ")
            throw CommandFailure(.failure, "\(nodeFile): there is no peer of id \(node ?? 0); there are \(known)")
        }
        let authority = try openAuthority(AuthorityFiles(directory: directory))
        let targets = peers.map { (peer: $0, files: MemberFiles(directory: directory, name: "node-\($0.id.number)")) }
        if !renew {
            try refuseExisting(targets.flatMap { [$0.files.certificate, $0.files.key] }, cure: "replace it by --renew")
        }
        for (peer, files) in targets {
            let name = NodeName(cluster: configuration.cluster, node: peer.id.number)
            let (certificate, key) = try explaining { () throws(TLSFailure) in
                try authority.issue(for: name, hosts: Self.hosts(of: peer), days: days)
            }
            try write(certificate, key, to: files)
            Terminal.write("\(files.certificate), \(files.key): for \(name), \(days) days\n")
        }
        Terminal.write(
            """
            In each node file: nodeCertificate: { authority: "ca.crt", certificate: "node-N.crt", key: "node-N.key" }

            """)
        return .success
    }

    static func issue(
        in directory: String, nodeFile: String, forOperator name: String, days: Int, renew: Bool
    ) throws(CommandFailure) -> ExitCode {
        let cluster = try read(nodeFile).cluster
        let authority = try openAuthority(AuthorityFiles(directory: directory))
        let files = MemberFiles(directory: directory, name: "operator-\(name)")
        if !renew { try refuseExisting([files.certificate, files.key], cure: "replace it by --renew") }
        let (certificate, key) = try explaining { () throws(TLSFailure) in
            try authority.issue(forOperator: name, of: cluster, days: days)
        }
        try write(certificate, key, to: files)
        Terminal.write(
            """
            \(files.certificate), \(files.key): for operator \(name) of cluster '\(cluster)', \(days) days
            Next: gwnode status --admin ... --ca ca.crt --certificate \(files.certificate) --key \(files.key)

            """)
        return .success
    }

    private static func write(
        _ certificate: Certificate, _ key: PrivateKey, to files: MemberFiles
    ) throws(CommandFailure) {
        try writing { () throws(SystemError) in
            try replaceFile(files.key, with: key.text)
            try replaceFile(files.certificate, with: certificate.text, mode: 0o644)
        }
    }

    /// Under which names and addresses others reach the node.
    private static func hosts(of peer: NodeConfiguration.Peer) -> [String] {
        var hosts: [String] = []
        for host in [peer.raft.host, peer.admin.host ?? peer.raft.host] where !hosts.contains(host) {
            hosts.append(host)
        }
        return hosts
    }

    private static func read(_ nodeFile: String) throws(CommandFailure) -> NodeConfiguration {
        let bytes = try File.read(nodeFile)
        do throws(ConfigurationProblems) { return try NodeConfiguration.read(bytes, file: nodeFile) } catch {
            throw CommandFailure(.failure, lines: error.problems.map(\.description))
        }
    }

    private static func openAuthority(_ files: AuthorityFiles) throws(CommandFailure) -> CertificateAuthority {
        let certificate = try File.read(files.certificate)
        let key = try File.read(files.key)
        return try explaining { () throws(TLSFailure) in
            do throws(TLSFailure) {
                return try CertificateAuthority(Certificate.readAll(certificate)[0], PrivateKey.read(key))
            } catch { throw TLSFailure("\(files.certificate), \(files.key): \(error)") }
        }
    }

    private static func refuseExisting(_ paths: [String], cure: String) throws(CommandFailure) {
        for path in paths where access(path, F_OK) == 0 {
            throw CommandFailure(.failure, "\(path) is there already, and nothing was changed; \(cure)")
        }
    }

    private static func explaining<Value>(
        _ body: () throws(TLSFailure) -> Value
    ) throws(CommandFailure) -> Value {
        do throws(TLSFailure) { return try body() } catch { throw CommandFailure(.failure, "\(error)") }
    }

    private static func writing(_ body: () throws(SystemError) -> Void) throws(CommandFailure) {
        do throws(SystemError) { try body() } catch { throw CommandFailure(.failure, "\(error); \(error.cure)") }
    }
}

/// Where an authority lies.
private struct AuthorityFiles {
    let directory: String
    var certificate: String { directory + "/ca.crt" }
    var key: String { directory + "/ca.key" }
}

/// Where the certificate of a node, or of an operator, is put.
private struct MemberFiles {
    let directory: String
    let name: String
    var certificate: String { "\(directory)/\(name).crt" }
    var key: String { "\(directory)/\(name).key" }
}
