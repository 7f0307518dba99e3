import Glibc
import Posix
import Raft
import Simulation
import SpreadSimulation

/// Compiled in the package of mutants only: simulates core and storage, or the spreading of addresses, with one bug after the
/// other, and prints how many seeds it took to find each. `hunt [NUMBER [SEEDS]]`; a bug that is not found within so many
/// seeds ends it with status 1. `hunt list` prints the numbers, for whoever has several processors.
@main
enum Hunt {
    private static let seeds: UInt64 = 10_000

    static func main() {
        if CommandLine.arguments.dropFirst() == ["list"] {
            for number in 0..<mutants.count + spreadMutants.count { print(number) }
            return
        }
        Log.setLevel(nil)
        let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
        let limit = arguments.count < 2 ? seeds : arguments[1]
        var missed = 0
        for (number, mutant) in (mutants + spreadMutants).enumerated()
        where arguments.isEmpty || arguments[0] == UInt64(number) {
            activeMutant = number
            let isSpread = number >= mutants.count
            let found = (1...limit).lazy.compactMap { seed in
                (isSpread ? spreadViolation(seed) : violation(seed)).map { (seed, $0) }
            }.first
            let seeds = found.map { String($0.0) } ?? "not in \(limit)"
            print("\(number)\t\(seeds)\t\(mutant.name) (\(mutant.source)): \(found?.1.prefix(100) ?? "")")
            fflush(nil)
            if found == nil { missed += 1 }
        }
        exit(missed == 0 ? 0 : 1)
    }

    private static func violation(_ seed: UInt64) -> String? {
        var simulation = Simulation(Plan(seed: seed))
        return simulation.run().violation
    }

    private static func spreadViolation(_ seed: UInt64) -> String? {
        var simulation = SpreadSimulation(seed: seed)
        return simulation.run(recovers: false)
    }
}
