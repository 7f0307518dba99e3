import Glibc
import Simulation
import Testing

@Suite struct SimulationTests {
    /// As many as the environment's `GWNODE_SEEDS` says.
    static var seeds: UInt64 { getenv("GWNODE_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 40 }

    @Test func everySeedKeepsTheInvariants() {
        var coverage = Simulation.Coverage()
        for seed in 1...Self.seeds {
            var simulation = Simulation(Plan(seed: seed))
            let outcome = simulation.run()
            coverage += outcome.coverage
            guard let violation = outcome.violation else { continue }
            var again = Simulation(Plan(seed: seed), recording: true)
            let transcript = again.run().transcript.suffix(120).joined(separator: "\n")
            Issue.record("seed \(seed): \(violation)\n\(transcript)")
            return
        }
        print("\(Self.seeds) seeds: \(coverage)")
        #expect(coverage.elections > 0 && coverage.readsDone > 0 && coverage.writesDone > 0)
    }

    @Test func twoRunsOfASeedAreTheSame() {
        for seed in UInt64(1)...20 {
            var first = Simulation(Plan(seed: seed), recording: true)
            var second = Simulation(Plan(seed: seed), recording: true)
            let (one, other) = (first.run(), second.run())
            #expect(one.fingerprint == other.fingerprint, "seed \(seed)")
            #expect(one.transcript == other.transcript, "seed \(seed)")
        }
    }
}
