import Gateway

/// Which of the two configuration files some bytes are, by the keys that only one of them has.
enum ConfigurationFileKind: Hashable, Sendable {
    case node
    case gateway

    private static let nodeKeys: Set<String> = ["cluster", "node", "peers", "dataDirectory", "admin", "gatewayFile"]
    private static let gatewayKeys: Set<String> = ["listeners", "routes", "upstreams", "virtualAddresses", "clients"]

    /// The kinds whose keys are among those of the file; none for what is unreadable, which its reader explains.
    private static func kinds(of bytes: [UInt8]) -> Set<ConfigurationFileKind> {
        guard let value = try? JSON5Parser.parse(bytes), case .object(let members) = value.content else { return [] }
        let keys = members.map(\.key)
        return Set(
            [(Self.node, nodeKeys), (.gateway, gatewayKeys)].filter { !$0.1.isDisjoint(with: keys) }.map(\.0))
    }

    /// What a file most probably is that can be either.
    init(of bytes: [UInt8]) { self = Self.kinds(of: bytes).contains(.node) ? .node : .gateway }

    /// What is wrong when the file at `path` has to be of this kind; nil when it may be.
    func objection(to bytes: [UInt8], at path: String) -> String? {
        let kinds = Self.kinds(of: bytes)
        if kinds.isEmpty || kinds.contains(self) { return nil }
        switch self {
        case .node: return "\(path) is a gateway file; name the node file (cluster, node, peers) of this machine"
        case .gateway: return "\(path) is a node file; name the gateway file (listeners, routes, upstreams)"
        }
    }
}
