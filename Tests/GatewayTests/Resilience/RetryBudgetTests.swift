import Gateway
import Posix
import Testing

@Suite struct RetryBudgetTests {
    private func instant(_ milliseconds: Int) -> Instant { Instant(nanoseconds: UInt64(milliseconds) * 1_000_000) }

    @Test func aQuietServiceHasItsMinimum() {
        var budget = RetryBudget(at: .zero)
        let terms = RetryBudget.Terms(percent: 20, minimumPerSecond: 1)
        let taken = (0..<50).count { budget.take(terms, requests: $0 + 1, at: instant(1_000)) }
        #expect(taken == 10, "one a second of the window")
    }

    @Test func nothingIsTakenFromAnEmptyBudget() {
        var budget = RetryBudget(at: .zero)
        let terms = RetryBudget.Terms(percent: 0, minimumPerSecond: 0)
        let isTaken = budget.take(terms, requests: 1_000_000, at: instant(1))
        #expect(!isTaken)
    }

    @Test func theShareComesBackWithFurtherRequests() {
        var budget = RetryBudget(at: .zero)
        let terms = RetryBudget.Terms(percent: 10, minimumPerSecond: 0)
        func taken(requests: Int, at milliseconds: Int) -> Int {
            (0..<100).count { _ in budget.take(terms, requests: requests, at: instant(milliseconds)) }
        }
        #expect(taken(requests: 100, at: 1) == 10)
        #expect(taken(requests: 200, at: 2) == 10)
        #expect(taken(requests: 200, at: 6_000) == 0)
        #expect(taken(requests: 300, at: 7_000) == 6, "the half before counts")
        // Two halves later no retry of that time counts, and its requests only as if they had come evenly.
        #expect(taken(requests: 300, at: 17_000) == 4)
        #expect(taken(requests: 300, at: 28_000) == 0)
    }

    @Test func requestsOfALongQuietTimeCountAsIfTheyHadComeEvenly() {
        var budget = RetryBudget(at: .zero)
        let terms = RetryBudget.Terms(percent: 10, minimumPerSecond: 0)
        // 36,000 in an hour are 50 in five seconds.
        let taken = (0..<100).count { _ in budget.take(terms, requests: 36_000, at: instant(3_600_000)) }
        #expect(taken == 5)
    }

    /// Whatever comes and fails, in every run of the whole storm no more than the share is repeated.
    @Test(arguments: (1...20).map { UInt64($0) * 7_919 })
    func aStormStaysWithinItsShare(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let terms = RetryBudget.Terms(percent: Int(random.below(30)), minimumPerSecond: 0)
        var budget = RetryBudget(at: .zero)
        var (requests, retries, milliseconds) = (0, 0, 0)
        for _ in 0..<20_000 {
            milliseconds += Int(random.below(20))
            requests += 1
            for _ in 0..<random.below(4) where budget.take(terms, requests: requests, at: instant(milliseconds)) {
                retries += 1
            }
        }
        #expect(retries * 100 <= requests * terms.percent, "\(retries) of \(requests), \(terms.percent) %")
    }

    @Test func pausesGrowAndAreRandomButTheFirstRetryIsAtOnce() {
        let policy = RetryPolicy(backoff: .milliseconds(20), maximumBackoff: .milliseconds(100))
        var random = RandomSource(seed: 1)
        func longest(_ retry: Int) -> Nanoseconds {
            (0..<2_000).map { _ in policy.pause(before: retry, random: &random) }.max()!
        }
        #expect(longest(1) == .zero)
        for (retry, bound) in [(2, 20), (3, 40), (4, 80), (5, 100), (12, 100)] {
            let pause = longest(retry)
            #expect(pause <= .milliseconds(UInt64(bound)) && pause > .milliseconds(UInt64(bound) * 9 / 10))
        }
    }
}
