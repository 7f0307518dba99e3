/// Consistent hashing with an even spread and one array access a lookup (Eisenbud et al., "Maglev", NSDI 2016,
/// section 3.4). The same choices in any order give the same table on every node, so a client keeps its backend
/// when another gateway takes over; one choice more or less moves few of the others' slots.
package enum MaglevTable {
    /// A prime, at least about 100 slots a choice, so that shares are within one per cent of the weights.
    package static func size(choices: Int) -> Int {
        if choices <= 10 { return 1021 }
        if choices <= 40 { return 4093 }
        if choices <= 160 { return 16381 }
        return 65521
    }

    /// A slot table of indices into `keys`. A choice takes slots in proportion to its weight; weight 0 takes none.
    /// Empty when all weights are 0.
    package static func build(keys: [UInt64], weights: [Int]) -> [UInt16] {
        precondition(keys.count == weights.count && keys.count <= Int(UInt16.max), "one weight a key, 65,535 at most")
        // Turns are taken in the order of the keys, so that the order in the configuration does not matter.
        let order = keys.indices.filter { weights[$0] > 0 }.sorted { keys[$0] < keys[$1] }
        guard let highest = weights.max(), highest > 0 else { return [] }
        let size = size(choices: order.count)
        let unset = UInt16.max
        var table = [UInt16](repeating: unset, count: size)
        var walks = keys.map { Walk(key: $0, size: size) }
        var credit = [Int](repeating: 0, count: keys.count)
        var free = size
        while free > 0 {
            for choice in order {
                credit[choice] += weights[choice]
                guard credit[choice] >= highest else { continue }
                credit[choice] -= highest
                var slot = walks[choice].next()
                while table[slot] != unset { slot = walks[choice].next() }
                table[slot] = UInt16(choice)
                free -= 1
                if free == 0 { break }
            }
        }
        return table
    }

    /// The permutation of slots in which one choice claims them: offset + k × skip, which visits all as the size
    /// is prime.
    private struct Walk {
        private var slot: Int
        private let skip: Int
        private let size: Int

        init(key: UInt64, size: Int) {
            self.size = size
            slot = Int(mix(key) % UInt64(size))
            skip = Int(mix(key ^ 0x6d61_676c_6576_0001) % UInt64(size - 1)) + 1
        }

        mutating func next() -> Int {
            defer { slot = (slot + skip) % size }
            return slot
        }
    }
}
