import Posix

/// A `ClientPolicy` as the workers see it: plain memory, owned by the `RoutingTable` that holds it.
struct ClientTerms {
    let head: HeadLimits
    let bodyBytes: UInt64
    let connectionsPerAddress: Int
    let timeouts: ClientTimeouts
    let forwardedField: ForwardedField
    let trustedProxies: UnsafeBufferPointer<IPNetwork>

    init(_ policy: ClientPolicy) {
        head = policy.limits.head
        bodyBytes = policy.limits.bodyBytes
        connectionsPerAddress = policy.limits.connectionsPerAddress ?? .max
        timeouts = policy.timeouts
        forwardedField = policy.forwardedField
        trustedProxies = copied(policy.trustedProxies)
    }

    func deallocate() { trustedProxies.deallocate() }

    /// The field in which `peer` is believed, nil when it is no trusted proxy.
    @inline(__always)
    func trustedField(of peer: IPAddress) -> ForwardedField? {
        if trustedProxies.isEmpty { return nil }
        return trustedProxies.contains { $0.contains(peer) } ? forwardedField : nil
    }
}
