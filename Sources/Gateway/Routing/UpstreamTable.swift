import Posix
import Synchronization

/// One upstream as the workers see it: its backends, which of them take requests, and how to choose.
///
/// Plain memory behind unsafe pointers, owned by the `RoutingTable` that holds it: choosing costs no retain, no
/// exclusivity check and no allocation.
package struct UpstreamTable {
    package let timeouts: UpstreamTimeouts
    /// Backends tried after the first.
    package let retries: Int
    let retry: RetryPolicy
    let ejection: EjectionPolicy
    let limits: LoadLimits
    /// Of `limits`; a very large number where there is none.
    let roomPerBackend: Int
    /// Shared by all workers; asked only where there are limits.
    let gate: UnsafeMutablePointer<UpstreamGate>
    package let algorithm: BalancingAlgorithm
    package let backends: UnsafeBufferPointer<BackendSlot>
    /// Round robin's period, or Maglev's slots; empty for the other algorithms.
    let slots: UnsafeBufferPointer<UInt16>
    /// Cumulative weights for `random`, otherwise empty.
    let cumulativeWeights: UnsafeBufferPointer<UInt32>
    /// Where round robin stands; shared by all workers and kept over configuration changes.
    let cursor: UnsafeMutablePointer<Atomic<Int>>
    /// The base for `UpstreamCells`.
    let cells: UnsafeMutablePointer<Atomic<UInt64>>

    /// A backend for the next request, or nil when none can take it. `clientHash` decides under `ip-hash`.
    ///
    /// Ejected backends are passed over while there is another: an ejection is a suspicion, and it never leaves
    /// an upstream without a backend that its health checks call healthy.
    package func pick(
        clientHash: UInt64, random: inout RandomSource, tried: TriedBackends, now: Instant
    ) -> Int32? {
        let choice: Int32?
        switch algorithm {
        case .roundRobin, .weighted: choice = nextInPeriod(tried, now)
        case .random: choice = drawn(&random, tried, now)
        case .leastConnections: choice = leastLoaded(tried, now)
        case .ipHash: choice = hashed(clientHash, tried, now)
        }
        if let choice { return choice }
        return anyUsable(from: Int(truncatingIfNeeded: random.next() >> 33), tried)
    }

    /// How many backends take requests at all.
    package var usableCount: Int { backends.reduce(0) { $0 + ($1.isUsable ? 1 : 0) } }

    @inline(__always)
    private func takes(_ index: Int32, _ tried: TriedBackends, _ now: Instant) -> Bool {
        let slot = backends[Int(index)]
        return slot.isUsable && !tried.contains(index) && !slot.counters.pointee.isPassedOver(at: now) && hasRoom(slot)
    }

    @inline(__always)
    private func hasRoom(_ slot: BackendSlot) -> Bool {
        slot.counters.pointee.activeRequests.load(ordering: .relaxed) < roomPerBackend
    }

    /// Whether a backend that was not tried yet takes requests at all.
    func hasUsable(_ tried: TriedBackends) -> Bool {
        backends.indices.contains { backends[$0].isUsable && !tried.contains(Int32($0)) }
    }

    /// Whether such a one has room.
    func hasRoom(_ tried: TriedBackends) -> Bool {
        backends.indices.contains { backends[$0].isUsable && !tried.contains(Int32($0)) && hasRoom(backends[$0]) }
    }

    /// Whether a request that was sent to `backend` last has another one that takes requests. Not for the request path.
    func hasAlternative(to backend: Int32, _ tried: TriedBackends, _ now: Instant) -> Bool {
        backends.indices.contains { Int32($0) != backend && takes(Int32($0), tried, now) }
    }

    /// Requests that this node has under way at the backends. Not for the request path.
    var activeRequests: Int { backends.reduce(0) { $0 + $1.counters.pointee.activeRequests.load(ordering: .relaxed) } }

    /// What was counted of the backends. Not for the request path.
    var tallies: [OutlierDetector.Tally] {
        backends.map { backend in
            OutlierDetector.Tally(
                backend: backend.runtimeID, requests: backend.counters.pointee.requests.load(ordering: .relaxed),
                failures: backend.counters.pointee.failures.load(ordering: .relaxed))
        }
    }

    private func nextInPeriod(_ tried: TriedBackends, _ now: Instant) -> Int32? {
        guard slots.count > 0 else { return nil }
        // A backend appears at least once a period, so one period of steps sees every backend.
        for _ in 0..<slots.count {
            let step = UInt(bitPattern: cursor.pointee.add(1, ordering: .relaxed).oldValue)
            let choice = Int32(slots[Int(step % UInt(slots.count))])
            if takes(choice, tried, now) { return choice }
        }
        return nil
    }

    private func drawn(_ random: inout RandomSource, _ tried: TriedBackends, _ now: Instant) -> Int32? {
        guard let total = cumulativeWeights.last, total > 0 else { return nil }
        for _ in 0..<UpstreamTable.draws {
            let target = random.below(total)
            var low = 0
            var high = cumulativeWeights.count - 1
            while low < high {
                let middle = (low + high) / 2
                if cumulativeWeights[middle] > target { high = middle } else { low = middle + 1 }
            }
            if takes(Int32(low), tried, now) { return Int32(low) }
        }
        return firstTaking(from: Int(random.below(UInt32(backends.count))), tried, now)
    }

    /// The backend with the fewest requests under way for its weight; ties go round.
    private func leastLoaded(_ tried: TriedBackends, _ now: Instant) -> Int32? {
        let count = backends.count
        guard count > 0 else { return nil }
        var index = Int(UInt(bitPattern: cursor.pointee.add(1, ordering: .relaxed).oldValue) % UInt(count))
        var best: Int32?
        var bestLoad = 0
        var bestWeight = 1
        for _ in 0..<count {
            let candidate = Int32(index)
            index = index + 1 == count ? 0 : index + 1
            guard takes(candidate, tried, now) else { continue }
            let slot = backends[Int(candidate)]
            let load = slot.counters.pointee.activeRequests.load(ordering: .relaxed) + 1
            // load / weight < bestLoad / bestWeight, without the division.
            if best == nil || load * bestWeight < bestLoad * Int(slot.weight) {
                best = candidate
                bestLoad = load
                bestWeight = Int(slot.weight)
            }
        }
        return best
    }

    /// The client's own slot; when its backend takes nothing, slots that further hashes of the client name. So
    /// only the clients of a lost backend move, and they come back to it.
    private func hashed(_ clientHash: UInt64, _ tried: TriedBackends, _ now: Instant) -> Int32? {
        guard slots.count > 0 else { return nil }
        var hash = clientHash
        for _ in 0..<UpstreamTable.draws {
            let choice = Int32(slots[Int(hash % UInt64(slots.count))])
            if takes(choice, tried, now) { return choice }
            hash = mix(hash)
        }
        return firstTaking(from: Int(hash % UInt64(backends.count)), tried, now)
    }

    private func firstTaking(from start: Int, _ tried: TriedBackends, _ now: Instant) -> Int32? {
        for step in 0..<backends.count {
            let candidate = Int32((start + step) % backends.count)
            if takes(candidate, tried, now) { return candidate }
        }
        return nil
    }

    private func anyUsable(from start: Int, _ tried: TriedBackends) -> Int32? {
        for step in 0..<backends.count {
            let candidate = Int32((start + step) % backends.count)
            let slot = backends[Int(candidate)]
            if slot.isUsable && !tried.contains(candidate) && hasRoom(slot) { return candidate }
        }
        return nil
    }

    /// Random draws or rehashes before the backends are searched one by one.
    private static let draws = 8
}

/// One backend within an `UpstreamTable`.
package struct BackendSlot {
    package let address: SocketAddress
    /// At least 1 when `isUsable`.
    package let weight: Int32
    /// Enabled by the operator and not down by its health checks.
    package let isUsable: Bool
    package let counters: BackendCountersReference
    /// Identifies the backend over table changes, for the upstream connection pool.
    package let runtimeID: UInt32
}
