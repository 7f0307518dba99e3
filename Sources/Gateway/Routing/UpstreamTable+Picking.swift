import Posix
import Synchronization

/// Choosing a backend. Nothing here allocates, and what workers share is only read, but for the cursor.
extension UpstreamTable {
    /// A backend for the next request, or nil when none can take it. `preferred`, if not negative, is taken when it can
    /// be, whatever the algorithm; `clientHash` decides under `ip-hash`.
    ///
    /// Backends that are passed over are used while there is no other: that is a suspicion, and it never leaves an
    /// upstream without a backend that its health checks call healthy.
    package func pick(
        preferred: Int32 = -1, clientHash: UInt64, random: inout RandomSource, tried: TriedBackends, now: Instant
    ) -> Int32? {
        if backends.isEmpty { return nil }
        if preferred >= 0, isOpen(preferred, tried, now) { return preferred }
        let choice: Int32?
        switch algorithm {
        case .roundRobin, .weighted: choice = nextInPeriod(&random, tried, now)
        case .random: choice = drawn(&random, tried, now)
        case .leastConnections: choice = leastLoaded(&random, tried, now)
        case .leastRequestP2C: choice = betterOfTwo(&random, tried, now) { load(of: $0) }
        case .peakEWMA: choice = betterOfTwo(&random, tried, now) { latencyCost(of: $0, at: now) }
        case .ipHash: choice = hashed(clientHash, tried, now)
        }
        if let choice { return choice }
        let start = algorithm == .ipHash ? mix(clientHash) : random.next()
        return standIn(from: Int(start % UInt64(backends.count)), tried, now)
    }

    /// When no primary backend takes the request in its turn: one that is still warming up or was missed by chance, else
    /// a backup, else one that is passed over.
    private func standIn(from start: Int, _ tried: TriedBackends, _ now: Instant) -> Int32? {
        first(from: start) { !backends[Int($0)].isBackup && isOpen($0, tried, now) }
            ?? first(from: start) { backends[Int($0)].isBackup && isOpen($0, tried, now) }
            ?? first(from: start) { !backends[Int($0)].isBackup && isUsable($0, tried) }
            ?? first(from: start) { backends[Int($0)].isBackup && isUsable($0, tried) }
    }

    @inline(__always)
    private func first(from start: Int, where takes: (Int32) -> Bool) -> Int32? {
        for step in 0..<backends.count {
            let candidate = Int32((start + step) % backends.count)
            if takes(candidate) { return candidate }
        }
        return nil
    }

    // Conditions.

    @inline(__always)
    private func isUsable(_ index: Int32, _ tried: TriedBackends) -> Bool {
        let slot = backends[Int(index)]
        return slot.isUsable && !tried.contains(index) && hasRoom(slot)
    }

    @inline(__always)
    private func hasRoom(_ slot: BackendSlot) -> Bool {
        slot.counters.pointee.activeRequests.load(ordering: .relaxed) < roomPerBackend
    }

    @inline(__always)
    private func isOpen(_ index: Int32, _ tried: TriedBackends, _ now: Instant) -> Bool {
        isUsable(index, tried) && !backends[Int(index)].counters.pointee.isPassedOver(at: now)
    }

    /// Whether it takes a request in its turn.
    @inline(__always)
    private func takes(_ index: Int32, _ random: inout RandomSource, _ tried: TriedBackends, _ now: Instant) -> Bool {
        let slot = backends[Int(index)]
        guard isOpen(index, tried, now), !slot.isBackup else { return false }
        if slowStart == .zero { return true }
        let start = slot.counters.pointee.cameBack()
        return start == .zero || SlowStart.takes(after: now - start, of: slowStart, &random)
    }

    // Algorithms.

    private func nextInPeriod(_ random: inout RandomSource, _ tried: TriedBackends, _ now: Instant) -> Int32? {
        guard slots.count > 0 else { return nil }
        // A backend appears at least once a period, so one period of steps sees every backend.
        for _ in 0..<slots.count {
            let step = UInt(bitPattern: cursor.pointee.add(1, ordering: .relaxed).oldValue)
            let choice = Int32(slots[Int(step % UInt(slots.count))])
            if takes(choice, &random, tried, now) { return choice }
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
            if takes(Int32(low), &random, tried, now) { return Int32(low) }
        }
        return nil
    }

    /// The backend with the fewest requests under way for its weight; ties go round.
    private func leastLoaded(_ random: inout RandomSource, _ tried: TriedBackends, _ now: Instant) -> Int32? {
        let count = backends.count
        var index = Int(UInt(bitPattern: cursor.pointee.add(1, ordering: .relaxed).oldValue) % UInt(count))
        var best: Int32?
        var bestLoad = 0
        var bestWeight = 1
        for _ in 0..<count {
            let candidate = Int32(index)
            index = index + 1 == count ? 0 : index + 1
            guard takes(candidate, &random, tried, now) else { continue }
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

    /// Of two that are drawn the one that costs less: nearly as even as the best of all, without looking at all, and
    /// without every worker sending to the same one at a time (Mitzenmacher, "The power of two choices", 2001).
    @inline(__always)
    private func betterOfTwo(
        _ random: inout RandomSource, _ tried: TriedBackends, _ now: Instant, cost: (BackendSlot) -> Double
    ) -> Int32? {
        guard let one = drawnEvenly(&random, tried, now) else { return nil }
        guard let other = drawnEvenly(&random, tried, now, but: one) else { return one }
        return cost(backends[Int(other)]) < cost(backends[Int(one)]) ? other : one
    }

    private func drawnEvenly(
        _ random: inout RandomSource, _ tried: TriedBackends, _ now: Instant, but excluded: Int32 = -1
    ) -> Int32? {
        for _ in 0..<UpstreamTable.draws {
            let candidate = Int32(random.below(UInt32(backends.count)))
            if candidate != excluded, takes(candidate, &random, tried, now) { return candidate }
        }
        return nil
    }

    @inline(__always)
    private func load(of slot: BackendSlot) -> Double {
        Double(slot.counters.pointee.activeRequests.load(ordering: .relaxed) + 1) / Double(slot.weight)
    }

    @inline(__always)
    private func latencyCost(of slot: BackendSlot, at now: Instant) -> Double {
        let active = slot.counters.pointee.activeRequests.load(ordering: .relaxed)
        return slot.counters.pointee.latency().cost(active: active, at: now) / Double(slot.weight)
    }

    /// The client's own slot; when its backend takes nothing, slots that further hashes of the client name. So
    /// only the clients of a lost backend move, and they come back to it.
    private func hashed(_ clientHash: UInt64, _ tried: TriedBackends, _ now: Instant) -> Int32? {
        guard slots.count > 0 else { return nil }
        var hash = clientHash
        // The same draws each time, so that a client does not change to and fro while its backend warms up.
        var own = RandomSource(seed: clientHash)
        for _ in 0..<UpstreamTable.draws {
            let choice = Int32(slots[Int(hash % UInt64(slots.count))])
            if takes(choice, &own, tried, now) { return choice }
            hash = mix(hash)
        }
        return nil
    }

    /// Random draws or rehashes before the backends are searched one by one.
    private static let draws = 8

    // Questions of requests that fail or wait; not for the path of every request.

    /// Whether a request that was sent to `backend` last has another one that takes requests.
    func hasAlternative(to backend: Int32, _ tried: TriedBackends, _ now: Instant) -> Bool {
        backends.indices.contains { Int32($0) != backend && isOpen(Int32($0), tried, now) }
    }

    /// Whether a backend that was not tried yet takes requests at all.
    func hasUsable(_ tried: TriedBackends) -> Bool {
        backends.indices.contains { backends[$0].isUsable && !tried.contains(Int32($0)) }
    }

    /// Whether such a one has room.
    func hasRoom(_ tried: TriedBackends) -> Bool {
        backends.indices.contains { isUsable(Int32($0), tried) }
    }
}
