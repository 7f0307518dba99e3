import Posix

/// Ports that nobody listens on, all different and below the range from which the kernel takes the local ports of
/// outgoing connections: a node that is down for a while must find its port free when it comes back.
func freePorts(_ count: Int) -> [UInt16] {
    var ports: Set<UInt16> = []
    while ports.count < count {
        let port = UInt16.random(in: 10_240..<32_768)
        if (try? Socket.listen(on: SocketAddress(ip: IPAddress("127.0.0.1")!, port: port))) != nil {
            ports.insert(port)
        }
    }
    return Array(ports)
}
