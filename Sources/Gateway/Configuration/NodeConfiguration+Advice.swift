import Posix

extension NodeConfiguration {
    /// What is allowed but probably not meant, as `path: what is the matter; what would be better`.
    package var advice: [String] {
        guard !join, peers.count.isMultiple(of: 2) else { return [] }
        return [
            "peers: \(peers.count) voters survive no more failures than \(peers.count - 1); use 1, 3, 5 or 7"
        ]
    }

    /// What can not work on this node once `gateway` is in force, as `path: what is wrong; what would be right`.
    /// Empty when all is well.
    package func conflicts(with gateway: GatewayConfiguration) -> [String] {
        unknownListeners(of: gateway) + unusableVirtualAddresses(of: gateway)
            + gateway.listeners.flatMap { conflicts(of: $0, with: gateway.virtualAddresses) }
    }

    private func unknownListeners(of gateway: GatewayConfiguration) -> [String] {
        let known = gateway.listeners.map(\.name)
        return listen.keys.sorted().filter { !known.contains($0) }.map { name in
            let advice = SchemaReader.advice(for: name, among: known, else: "remove it")
            return "listen.\(name): the gateway file has no such listener; \(advice)"
        }
    }

    private func unusableVirtualAddresses(of gateway: GatewayConfiguration) -> [String] {
        switch virtualAddress {
        case .loopback:
            gateway.virtualAddresses.filter { !($0.isIPv4 && $0.isLoopback) }.map { address in
                "virtualAddresses: \(address) can not be held by the loopback provider; "
                    + "use an address of 127.0.0.0/8, or the netlink provider in the node files"
            }
        case .netlink, .exec:
            gateway.virtualAddresses.filter(\.isLoopback).map { address in
                "virtualAddresses: \(address) never leaves its machine; use an address of the network"
            }
        case .none: []
        }
    }

    /// Sockets of this process that would want the same address and port.
    private func conflicts(of listener: Listener, with virtualAddresses: [IPAddress]) -> [String] {
        let own = listen[listener.name] ?? SocketAddress(ip: IPAddress(high: 0, low: 0), port: listener.port)
        var others = virtualAddresses.map {
            ("virtual address \($0)", SocketAddress(ip: $0, port: listener.port))
        }
        if listen[listener.name] == nil { others = [] }
        if let address = admin.numericAddress { others.append(("admin address", address)) }
        if let raft = ownPeer?.raft.numericAddress { others.append(("raft address", raft)) }
        return others.filter { own.overlaps($0.1) }.map { what, _ in
            "listen.\(listener.name): \(own) is taken by the \(what); use another address or port"
        }
    }
}

extension SocketAddress {
    /// Whether both can not be listened on at the same time.
    fileprivate func overlaps(_ other: SocketAddress) -> Bool {
        port == other.port && (ip == other.ip || ip.isUnspecified || other.ip.isUnspecified)
    }
}
