import Posix
import Synchronization

/// Roughly how many connections each client address has open, over all workers, in fixed memory and without locks.
///
/// A count-min sketch (Cormode, Muthukrishnan 2005) of two rows: addresses that collide in both rows share a count,
/// so it is never too low. The seed keeps outsiders from looking for collisions. IPv6 addresses count by /64, the
/// least that a single client can be assumed to have.
package final class ClientAddressCounts: Sendable {
    private static let rowLength: UInt64 = 1 << 15

    private let counts: UnsafeCounts
    private let seed: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        counts = UnsafeCounts(count: Int(ClientAddressCounts.rowLength * 2))
    }

    deinit { counts.deallocate() }

    /// Counts a connection unless its address has `limit` already; false then.
    package func add(_ address: IPAddress, limit: Int) -> Bool {
        let (first, second) = places(address)
        let before = counts[first].pointee.add(1, ordering: .relaxed).oldValue
        let other = counts[second].pointee.add(1, ordering: .relaxed).oldValue
        if min(before, other) < limit { return true }
        remove(address)
        return false
    }

    package func remove(_ address: IPAddress) {
        let (first, second) = places(address)
        counts[first].pointee.subtract(1, ordering: .relaxed)
        counts[second].pointee.subtract(1, ordering: .relaxed)
    }

    private func places(_ address: IPAddress) -> (Int, Int) {
        let network = address.isIPv4 ? address.low : address.high
        let hash = mix(network ^ mix(seed))
        let mask = ClientAddressCounts.rowLength - 1
        return (Int(hash & mask), Int(ClientAddressCounts.rowLength + (hash >> 32 & mask)))
    }
}

/// Atomics in plain memory.
private struct UnsafeCounts: @unchecked Sendable {
    private let base: UnsafeMutablePointer<Atomic<Int>>
    private let count: Int

    init(count: Int) {
        self.count = count
        base = .allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
    }

    subscript(index: Int) -> UnsafeMutablePointer<Atomic<Int>> {
        precondition(index < count)
        return base + index
    }

    func deallocate() {
        base.deinitialize(count: count)
        base.deallocate()
    }
}
