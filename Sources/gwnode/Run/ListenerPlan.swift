import Gateway
import Posix

/// Which addresses this node listens on for clients, besides those that the loopback provider opens and closes with
/// the virtual addresses.
struct ListenerPlan: Equatable {
    struct Endpoint: Hashable {
        var address: SocketAddress
        /// A virtual address, which may not be on this machine at the moment.
        var isVirtual: Bool
    }

    let endpoints: Set<Endpoint>

    init(node: NodeConfiguration, gateway: GatewayConfiguration) {
        var endpoints: Set<Endpoint> = []
        for listener in gateway.listeners {
            guard let own = node.listen[listener.name] else {
                let everywhere = SocketAddress(ip: ListenerPlan.allAddresses, port: listener.port)
                endpoints.insert(Endpoint(address: everywhere, isVirtual: false))
                continue
            }
            endpoints.insert(Endpoint(address: own, isVirtual: false))
            // A listener on all addresses takes the traffic to virtual ones along.
            guard case .netlink = node.virtualAddress, !(own.ip.isUnspecified && own.port == listener.port) else {
                continue
            }
            for address in gateway.virtualAddresses {
                let virtual = SocketAddress(ip: address, port: listener.port)
                endpoints.insert(Endpoint(address: virtual, isVirtual: true))
            }
        }
        self.endpoints = endpoints
    }

    /// `[::]`, or `0.0.0.0` where the kernel has no IPv6.
    private static let allAddresses: IPAddress = {
        let six = IPAddress(high: 0, low: 0)
        let hasIPv6 = (try? Socket.listen(on: SocketAddress(ip: six, port: 0))) != nil
        return hasIPv6 ? six : IPAddress(v4: 0)
    }()
}
