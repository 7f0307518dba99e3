import Gateway
import Posix
import Testing

@Suite struct MaglevTableTests {
    private let keys = (1...5).map { StableHash.hash(SocketAddress("10.0.0.\($0):80")!) }

    @Test func spreadsEvenly() {
        let table = MaglevTable.build(keys: keys, weights: [1, 1, 1, 1, 1])
        #expect(table.count == MaglevTable.size(choices: 5))
        for choice in 0..<5 {
            let share = Double(table.filter { $0 == choice }.count) / Double(table.count)
            #expect(abs(share - 0.2) < 0.01)
        }
    }

    @Test func followsTheWeights() {
        let table = MaglevTable.build(keys: keys, weights: [4, 2, 1, 1, 0])
        let shares = (0..<5).map { choice in Double(table.filter { $0 == choice }.count) / Double(table.count) }
        #expect(abs(shares[0] - 0.5) < 0.02)
        #expect(abs(shares[1] - 0.25) < 0.02)
        #expect(shares[4] == 0)
    }

    @Test func theOrderOfTheConfigurationDoesNotMatter() {
        let forward = MaglevTable.build(keys: keys, weights: [1, 2, 3, 4, 5])
        let backward = MaglevTable.build(keys: keys.reversed(), weights: [5, 4, 3, 2, 1])
        #expect(zip(forward, backward).allSatisfy { $0 == 4 - $1 })
    }

    @Test func oneChoiceLessMovesFewOthers() {
        let all = MaglevTable.build(keys: keys, weights: [1, 1, 1, 1, 1])
        let without = MaglevTable.build(keys: keys, weights: [1, 1, 0, 1, 1])
        let moved = zip(all, without).filter { $0 != 2 && $0 != $1 }.count
        #expect(Double(moved) / Double(all.count) < 0.1)
    }

    @Test func nothingToChooseGivesAnEmptyTable() {
        #expect(MaglevTable.build(keys: [], weights: []).isEmpty)
        #expect(MaglevTable.build(keys: keys, weights: [0, 0, 0, 0, 0]).isEmpty)
    }

    @Test func theLayoutStaysTheSameOverReleases() {
        // A gateway that is upgraded must send a client to the same backend as one that is not yet.
        let table = MaglevTable.build(keys: keys, weights: [1, 1, 1, 1, 1])
        var digest: UInt64 = 0
        for slot in table { digest = mix(digest ^ UInt64(slot)) }
        #expect(digest == 16_905_785_333_728_161_433)
    }
}
