/// Which node a certificate is for: a URI among the alternative names of its subject (RFC 5280, section 4.2.1.6).
package struct NodeName: Hashable, Sendable, CustomStringConvertible {
    package var cluster: String
    package var node: UInt64

    package init(cluster: String, node: UInt64) {
        self.cluster = cluster
        self.node = node
    }

    package var uri: String { "gwnode://\(cluster)/node/\(node)" }
    package var description: String { "node \(node) of cluster '\(cluster)'" }
}
