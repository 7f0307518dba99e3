/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, a few instructions a draw, replayable from its seed.
package struct RandomSource: RandomNumberGenerator, Hashable, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    @inline(__always)
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return mix(state)
    }

    /// A number from 0 up to but without `bound`, by multiplication (Lemire): a bias below 2⁻³² for bounds that
    /// fit in 32 bits.
    @inline(__always)
    package mutating func below(_ bound: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: ((next() >> 32) &* UInt64(bound)) >> 32)
    }
}

/// SplitMix64's finaliser: spreads every input bit over all output bits, the same on every node and build.
@inline(__always)
package func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
}
