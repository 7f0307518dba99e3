/// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of short messages that nobody without the key can forge.
package enum SipHash {
    package static func hash(_ message: [UInt8], key: NoticeKey) -> UInt64 {
        var state = State(key)
        let words = message.count / 8
        for word in 0..<words { state.take(littleEndian(message[(word * 8)..<(word * 8 + 8)])) }
        state.take(littleEndian(message[(words * 8)...]) | UInt64(truncatingIfNeeded: message.count) << 56)
        return state.finish()
    }

    private static func littleEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private struct State {
        var v0, v1, v2, v3: UInt64

        init(_ key: NoticeKey) {
            v0 = key.first ^ 0x736f_6d65_7073_6575
            v1 = key.second ^ 0x646f_7261_6e64_6f6d
            v2 = key.first ^ 0x6c79_6765_6e65_7261
            v3 = key.second ^ 0x7465_6462_7974_6573
        }

        mutating func take(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        mutating func finish() -> UInt64 {
            v2 ^= 0xff
            for _ in 0..<4 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        private mutating func round() {
            func rotated(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }
            v0 &+= v1
            v1 = rotated(v1, 13) ^ v0
            v0 = rotated(v0, 32)
            v2 &+= v3
            v3 = rotated(v3, 16) ^ v2
            v0 &+= v3
            v3 = rotated(v3, 21) ^ v0
            v2 &+= v1
            v1 = rotated(v1, 17) ^ v2
            v2 = rotated(v2, 32)
        }
    }
}

/// A secret of one gateway process. The other nodes learn it over their Raft connections; its guard signs with it.
package struct NoticeKey: Hashable, Sendable {
    package var first: UInt64
    package var second: UInt64

    package init(first: UInt64, second: UInt64) {
        self.first = first
        self.second = second
    }

    package static func random() -> NoticeKey {
        NoticeKey(first: .random(in: 0 ... .max), second: .random(in: 0 ... .max))
    }
}
