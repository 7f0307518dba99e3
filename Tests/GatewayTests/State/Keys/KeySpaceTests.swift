import Gateway
import Posix
import Testing

@Suite struct KeySpaceTests {
    private let stamp = WallTime(millisecondsSince1970: 1_000)
    private let lock = KeyName("deploy/lock")!

    private func put(_ key: KeyName, _ value: [UInt8], _ condition: KeyChange.Condition = .any) -> KeyChange {
        KeyChange(key: key, value: value, condition: condition, at: stamp)
    }

    private func delete(_ key: KeyName, _ condition: KeyChange.Condition = .any) -> KeyChange {
        KeyChange(key: key, value: nil, condition: condition, at: stamp)
    }

    @Test func everyChangeHasItsRevision() {
        var keys = KeySpace()
        #expect(keys.apply(put(lock, [1])) == .keyChanged(KeyRevision(1)))
        #expect(keys.apply(put(KeyName("flag")!, [])) == .keyChanged(KeyRevision(2)))
        #expect(keys.apply(put(lock, [1])) == .keyChanged(KeyRevision(3)))
        #expect(keys.records[lock] == KeyRecord(value: [1], revision: KeyRevision(3), at: stamp))
        #expect(keys.bytes == 11 + 1 + 4)
        #expect(keys.apply(delete(lock)) == .keyChanged(KeyRevision(4)))
        #expect(keys.apply(delete(lock)) == .unchanged)
        #expect(keys.revision == KeyRevision(4))
        #expect(keys.bytes == 4)
    }

    /// The lock of the documentation: taken by whoever is first, given back only by its holder.
    @Test func conditionsCompareAndSet() {
        var keys = KeySpace()
        #expect(keys.apply(delete(lock, .present)) == .refused(.keyConflict(lock, current: nil)))
        #expect(keys.apply(put(lock, [1], .absent)) == .keyChanged(KeyRevision(1)))
        let held = keys
        for late in [
            put(lock, [2], .absent), put(lock, [2], .unchangedSince(KeyRevision(7))),
            delete(lock, .absent), delete(lock, .unchangedSince(.none)),
        ] {
            #expect(keys.apply(late) == .refused(.keyConflict(lock, current: KeyRevision(1))))
            #expect(keys == held)
        }
        #expect(keys.apply(put(lock, [3], .unchangedSince(KeyRevision(1)))) == .keyChanged(KeyRevision(2)))
        #expect(keys.apply(delete(lock, .unchangedSince(KeyRevision(2)))) == .keyChanged(KeyRevision(3)))
    }

    @Test func keysAndBytesAreBounded() {
        var keys = KeySpace()
        for number in 0..<KeySpace.Limit.keys { _ = keys.apply(put(KeyName("k\(number)")!, [])) }
        let full = keys
        let refusal = Outcome.refused(.tooMany(what: "keys", limit: KeySpace.Limit.keys))
        #expect(keys.apply(put(lock, [1])) == refusal)
        #expect(keys == full)
        #expect(keys.apply(put(KeyName("k7")!, [1])) == .keyChanged(full.revision.next))

        var large = KeySpace()
        let value = [UInt8](repeating: 7, count: KeySpace.Limit.valueBytes)
        var outcome = Outcome.applied
        var count = 0
        while count < KeySpace.Limit.keys {
            outcome = large.apply(put(KeyName("k\(count)")!, value))
            if case .refused = outcome { break }
            count += 1
        }
        #expect(outcome == .refused(.tooMany(what: "bytes in all keys and their values", limit: 4 << 20)))
        #expect(large.bytes <= KeySpace.Limit.totalBytes)
        #expect(large.bytes > KeySpace.Limit.totalBytes - KeySpace.Limit.valueBytes - KeySpace.Limit.nameBytes)
        #expect(large.apply(put(KeyName("k0")!, value)) == .keyChanged(large.revision))
    }

    @Test(arguments: ["a", "deploy/lock", "A-Z_0.9", "a..b/.c", String(repeating: "k", count: 128)])
    func goodNames(text: String) { #expect(KeyName(text)?.text == text) }

    @Test(arguments: [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a b", "a?b", "a%2fb", "\u{e9}", "a\n",
        String(repeating: "k", count: 129),
    ])
    func badNames(text: String) { #expect(KeyName(text) == nil) }

    @Test func listingIsByPrefixAndInOrder() {
        var keys = KeySpace()
        for name in ["b/2", "a", "b/1", "c"] { _ = keys.apply(put(KeyName(name)!, [])) }
        #expect(keys.listing(prefix: "b/").entries.map(\.key.text) == ["b/1", "b/2"])
        #expect(keys.listing(prefix: "").entries.count == 4)
        #expect(keys.listing(prefix: "x").entries.isEmpty)
        #expect(keys.listing(prefix: "").revision == KeyRevision(4))
    }
}

@Suite struct ReplicatedStateTests {
    private let stamp = WallTime(millisecondsSince1970: 1_000)

    private var changes: [ReplicatedState.Change] {
        let lock = KeyName("deploy/lock")!
        let conditions: [KeyChange.Condition] = [.any, .absent, .present, .unchangedSince(KeyRevision(3))]
        return conditions.flatMap { condition in
            [[UInt8](), [1, 2, 3], nil].map { value in
                .key(KeyChange(key: lock, value: value, condition: condition, at: stamp))
            }
        } + [.cluster(.forgetReports(of: [], at: stamp))]
    }

    @Test func changesSurviveTheirCoding() throws {
        for change in changes {
            let bytes = change.encoded()
            #expect(try ReplicatedState.Change(decoding: bytes) == change)
            for count in bytes.indices {
                #expect(throws: DecodingFault.truncated(offset: count)) {
                    try ReplicatedState.Change(decoding: Array(bytes.prefix(count)))
                }
            }
            #expect(throws: DecodingFault.trailingBytes(offset: bytes.count)) {
                try ReplicatedState.Change(decoding: bytes + [0])
            }
        }
    }

    @Test func snapshotHoldsBothParts() throws {
        var state = ReplicatedState()
        for change in changes { _ = state.apply(change) }
        let last = KeyChange(key: KeyName("flag")!, value: [9], condition: .any, at: stamp)
        #expect(state.apply(.key(last)) == .keyChanged(state.keys.revision))
        let restored = try ReplicatedState(decoding: state.encoded())
        #expect(restored == state)
        #expect(restored.keys.bytes == 5)
        #expect(throws: DecodingFault.unknownVersion(9)) { try ReplicatedState(decoding: [9]) }
    }
}
