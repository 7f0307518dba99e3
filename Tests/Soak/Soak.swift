import Glibc
import Posix
import Simulation

/// Simulates cluster after cluster: `soak [--first SEED] [--seeds COUNT] [--seconds LIMIT]`. The first violation ends
/// it with status 1, the seed and a transcript; the same seed always shows the same.
@main
enum Soak {
    static func main() {
        let options = Options(CommandLine.arguments.dropFirst())
        let begin = Instant.now()
        var coverage = Coverage()
        var done: UInt64 = 0
        while done < options.seeds && (Instant.now() - begin).seconds < options.seconds {
            let outcome = Simulation.outcome(ofSeed: options.first + done)
            if let violation = outcome.violation {
                print(outcome.transcript.suffix(options.lines).joined(separator: "\n"))
                print("seed \(outcome.seed): \(violation)")
                exit(1)
            }
            coverage += outcome.coverage
            done += 1
            if done % options.reportEvery == 0 {
                print("\(done) seeds after \(Int((Instant.now() - begin).seconds)) s")
                fflush(nil)
            }
        }
        let seconds = Int((Instant.now() - begin).seconds)
        print("\(done) seeds from \(options.first) on without a violation in \(seconds) s, in all: \(coverage)")
    }

    private struct Options {
        var first: UInt64 = 1
        var seeds = UInt64.max
        var seconds = Double.infinity
        var lines = 200
        let reportEvery: UInt64 = 1000

        init(_ arguments: ArraySlice<String>) {
            var rest = arguments
            while let name = rest.popFirst() {
                let text = rest.popFirst() ?? ""
                switch (name, UInt64(text)) {
                case ("--first", let number?): first = number
                case ("--seeds", let number?): seeds = number
                case ("--seconds", let number?): seconds = Double(number)
                case ("--lines", let number?): lines = Int(min(number, 1_000_000))
                default:
                    print("usage: soak [--first SEED] [--seeds COUNT] [--seconds LIMIT] [--lines OF_TRANSCRIPT]")
                    exit(2)
                }
            }
        }
    }
}
