import Posix

/// Which addresses this node has, and which have left it, while its connections to these may still be open. A pure core.
package struct AddressTurnover: Sendable {
    package private(set) var held: Set<IPAddress> = []
    private var lost: Set<IPAddress> = []

    package init() {}

    /// From now on this node has `addresses`.
    /// - Returns: those that it did not have before.
    package mutating func hold(_ addresses: Set<IPAddress>) -> Set<IPAddress> {
        defer { held = addresses }
        lost = lost.union(held).subtracting(addresses)
        return addresses.subtracting(held)
    }

    /// Another node has these addresses, as it shares connections to them.
    /// - Returns: those whose connections this node has to drop, each once.
    package mutating func concede(_ addresses: some Sequence<IPAddress>) -> Set<IPAddress> {
        if lost.isEmpty { return [] }
        let conceded = lost.intersection(addresses)
        lost.subtract(conceded)
        return conceded
    }
}
