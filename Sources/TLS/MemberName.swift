/// Whose certificate of a cluster's authority it is: a node's, or that of somebody who operates the cluster.
package enum MemberName: Hashable, Sendable, CustomStringConvertible {
    case node(NodeName)
    /// `name` has letters, digits and `-_.` alone.
    case operatorNamed(String, cluster: String)

    /// In a certificate. Nodes look for theirs, so an operator's certificate is of no use as a node.
    package var uri: String {
        switch self {
        case .node(let node): node.uri
        case .operatorNamed(let name, let cluster): "gwnode://\(cluster)/operator/\(name)"
        }
    }

    package init?(uri: String) {
        let scheme = "gwnode://"
        guard uri.hasPrefix(scheme) else { return nil }
        let parts = uri.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, !parts[0].isEmpty, !parts[2].isEmpty else { return nil }
        switch parts[1] {
        case "node":
            guard let number = UInt64(parts[2]) else { return nil }
            self = .node(NodeName(cluster: parts[0], node: number))
        case "operator": self = .operatorNamed(parts[2], cluster: parts[0])
        case _: return nil
        }
    }

    package var cluster: String {
        switch self {
        case .node(let node): node.cluster
        case .operatorNamed(_, let cluster): cluster
        }
    }

    package var description: String {
        switch self {
        case .node(let node): "node \(node.node)"
        case .operatorNamed(let name, _): "operator \(name)"
        }
    }
}

extension TLSSession {
    /// Who the other end is in a cluster, as its certificate says; nil when it says nothing of that cluster.
    package func peer(in cluster: String) -> MemberName? {
        peerURIs.compactMap(MemberName.init).first { $0.cluster == cluster }
    }
}
