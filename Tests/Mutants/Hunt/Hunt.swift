import Glibc
import Raft
import Simulation

/// Compiled in the package of mutants only: simulates core and storage with one bug after the other, and prints how many seeds
/// it took to find each. `hunt [SEEDS] [NUMBER]`; a bug that is not found within so many seeds ends it with status 1.
@main
enum Hunt {
    private static let seeds: UInt64 = 10_000

    static func main() {
        let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
        let limit = arguments.first ?? seeds
        var missed = 0
        for (number, mutant) in mutants.enumerated() where arguments.count < 2 || arguments[1] == UInt64(number) {
            activeMutant = number
            let found = (1...limit).lazy.map { Simulation(Plan(seed: $0)) }.compactMap { simulation in
                var simulation = simulation
                let outcome = simulation.run()
                return outcome.violation.map { (outcome.seed, $0) }
            }.first
            let seeds = found.map { String($0.0) } ?? "not in \(limit)"
            print("\(number)\t\(seeds)\t\(mutant.name) (\(mutant.source)): \(found?.1.prefix(100) ?? "")")
            fflush(nil)
            if found == nil { missed += 1 }
        }
        print("\(mutants.count - missed) of \(mutants.count) bugs found")
        exit(missed == 0 ? 0 : 1)
    }
}
