import Posix

/// How many requests of one upstream may be sent a second time: a share of all of them, so that a failing service is not
/// buried under repetitions, and a few in any case, so that a quiet service is helped too.
///
/// Counts requests and not those under way: fast failures are never many at one time, and would get round a limit on
/// those. Two halves of `window` are kept, which together slide with an error of half of it.
package struct RetryBudget: Hashable, Sendable {
    package struct Terms: Hashable, Sendable {
        /// Repeated requests in a hundred, 0…100.
        package var percent: Int
        /// What is allowed whatever the percentage gives, 0…1000.
        package var minimumPerSecond: Int

        package init(percent: Int = 20, minimumPerSecond: Int = 10) {
            self.percent = percent
            self.minimumPerSecond = minimumPerSecond
        }
    }

    package static let window = Nanoseconds.seconds(10)
    private static let half = window / 2

    private var halfBegan: Instant
    /// Of all times, when the half began.
    private var requestsAtBegin = 0
    private var retries = 0
    /// In the half before.
    private var earlierRequests = 0
    private var earlierRetries = 0

    /// `now`: when requests begin to be counted.
    package init(at now: Instant) { halfBegan = now }

    /// Takes one repetition from the budget, if there is one. `requests` is how many there have ever been.
    package mutating func take(_ terms: Terms, requests: Int, at now: Instant) -> Bool {
        advance(requests, to: now)
        let recent = earlierRequests + max(0, requests - requestsAtBegin)
        let minimum = terms.minimumPerSecond * Int(RetryBudget.window.seconds)
        guard earlierRetries + retries < max(minimum, recent * terms.percent / 100) else { return false }
        retries += 1
        return true
    }

    private mutating func advance(_ requests: Int, to now: Instant) {
        let elapsed = now - halfBegan
        guard elapsed >= RetryBudget.half else { return }
        // Nobody looked for longer than a half: its requests are taken to have come evenly.
        let since = Double(max(0, requests - requestsAtBegin))
        earlierRequests = Int(since * RetryBudget.half.seconds / elapsed.seconds)
        earlierRetries = elapsed < RetryBudget.window ? retries : 0
        requestsAtBegin = requests
        retries = 0
        halfBegan = now
    }
}
