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
        var coverage = Simulation.Coverage()
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
        var coverage = Simulation.Coverage()
        for seed in UInt64(1)...10 { coverage += Simulation.outcome(ofSeed: seed).coverage }
        #expect(coverage.elections > 20 && coverage.crashes > 10 && coverage.faults > 200)
        #expect(coverage.snapshotsInstalled > 2 && coverage.membershipChanges > 2)
        #expect(coverage.writesDone > 500 && coverage.readsDone > 500)
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
