import Posix

/// Hashes that are the same on every node, start and build, as consistent balancing needs; Swift's own `Hasher`
/// is seeded anew in each process.
package enum StableHash {
    package static func hash(_ ip: IPAddress) -> UInt64 { mix(ip.low ^ mix(ip.high ^ 0x6777_6e6f_6465_0001)) }

    package static func hash(_ address: SocketAddress) -> UInt64 { mix(hash(address.ip) ^ UInt64(address.port)) }
}
