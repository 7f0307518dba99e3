import Glibc
import SpreadSimulation
import Testing

@Suite struct SpreadSimulationTests {
    private static let shards: UInt64 = 4

    /// As many as the environment's `GWNODE_SEEDS` says; fewer by default where the build is slow.
    private static var seeds: UInt64 {
        getenv("GWNODE_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? (_isDebugAssertConfiguration() ? 16 : 200)
    }

    @Test(arguments: 1...shards)
    func noAddressEverHasTwoHoldersAndAllAreHeldInTheEnd(shard: UInt64) {
        var totals: [String: Int] = [:]
        for seed in stride(from: shard, through: Self.seeds, by: Int(Self.shards)) {
            var simulation = SpreadSimulation(seed: seed)
            if let violation = simulation.run() {
                Issue.record("seed \(seed): \(violation)\n\(simulation.transcript.suffix(80).joined(separator: "\n"))")
                return
            }
            totals.merge(simulation.counts, uniquingKeysWith: +)
        }
        #expect(totals["changes of loans", default: 0] > 10 && totals["crashes", default: 0] > 5)
        print("spread, a \(Self.shards)th of \(Self.seeds) seeds: \(totals.sorted { $0.key < $1.key })")
    }

    @Test func twoRunsOfASeedAreTheSame() {
        var (first, second) = (SpreadSimulation(seed: 3), SpreadSimulation(seed: 3))
        #expect(first.run() == second.run())
        #expect(first.transcript == second.transcript)
    }
}
