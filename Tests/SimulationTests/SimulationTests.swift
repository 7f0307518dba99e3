import Glibc
import Simulation
import Testing

@Suite struct SimulationTests {
    private static let shards: UInt64 = 4

    /// As many as the environment's `GWNODE_SEEDS` says; fewer by default where the build is slow.
    private static var seeds: UInt64 {
        getenv("GWNODE_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? (_isDebugAssertConfiguration() ? 40 : 1000)
    }

    @Test(arguments: 1...shards)
    func everySeedKeepsTheInvariants(shard: UInt64) {
        var coverage = Coverage()
        for seed in stride(from: shard, through: Self.seeds, by: Int(Self.shards)) {
            let outcome = Simulation.outcome(ofSeed: seed)
            coverage += outcome.coverage
            guard let violation = outcome.violation else { continue }
            Issue.record("seed \(seed): \(violation)\n\(outcome.transcript.suffix(120).joined(separator: "\n"))")
            return
        }
        print("a \(Self.shards)th of \(Self.seeds) seeds: \(coverage)")
    }

    /// A simulator that does nothing finds nothing.
    @Test func seedsCoverWhatTheyAreMeantTo() {
        var coverage = Coverage()
        for seed in UInt64(1)...20 { coverage += Simulation.outcome(ofSeed: seed).coverage }
        #expect(coverage[.elections] > 20 && coverage[.transfers] > 2 && coverage.faultCount > 200)
        #expect(coverage[.processCrashes] > 5 && coverage[.powerLosses] > 5 && coverage[.interruptedStarts] > 2)
        #expect(coverage[.failedWrites] > 2 && coverage[.flippedBits] > 0)
        #expect(coverage[.snapshotsTaken] > 20 && coverage[.snapshotsInstalled] > 2)
        #expect(coverage[.replacements] > 5 && coverage[.continuedTerms] > 2)
        #expect(coverage[.membershipChanges] > 2 && coverage[.writes] > 500 && coverage[.reads] > 500)
    }

    @Test func twoRunsOfASeedAreTheSame() {
        for seed in UInt64(1)...4 {
            var first = Simulation(Plan(seed: seed), recording: true)
            var second = Simulation(Plan(seed: seed), recording: true)
            let (one, other) = (first.run(), second.run())
            #expect(one.fingerprint == other.fingerprint, "seed \(seed)")
            #expect(one.transcript == other.transcript, "seed \(seed)")
        }
    }
}
