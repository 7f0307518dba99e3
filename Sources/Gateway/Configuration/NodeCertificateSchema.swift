import Posix
import Raft
import TLS

extension Schema where Value == NodeCertificateFiles {
    /// The `nodeCertificate` object of a node file.
    static let nodeCertificate = object(
        .required("authority", .filePath, "The certificate of the cluster's authority, in PEM."),
        .required("certificate", .filePath, "This node's certificate, in PEM; it has to name cluster and node."),
        .required("key", .filePath, "Its private key, in PEM, readable by the node's user alone."),
        make: NodeCertificateFiles.init
    )
}

extension NodeConfiguration {
    /// Why the node can not use its certificate; nil when it can, or needs none.
    package var certificateProblem: String? {
        guard let certificate else { return nil }
        do throws(TLSFailure) {
            _ = try NodeCertificate(certificate, name: certificateName, at: .zero)
            return nil
        } catch { return "nodeCertificate: \(error)" }
    }

    /// What the node's certificate has to say.
    package var certificateName: NodeName { NodeName(cluster: cluster, node: node.id.number) }
}
