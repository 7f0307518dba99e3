import Posix

/// When a request goes to another backend although the one before may have seen it, and how many such requests there
/// may be. Plain memory: workers read it in place.
package struct RetryPolicy: Hashable, Sendable {
    /// Responses that are not passed on while another backend may do better. Only of idempotent requests.
    package var statuses: StatusSet
    /// For the head of the response to one attempt, while further ones are left; nil: as long as the upstream's `response`.
    package var tryTimeout: Nanoseconds?
    /// The longest pause before the second retry; it doubles with each further one, up to `maximumBackoff`.
    package var backoff: Nanoseconds
    package var maximumBackoff: Nanoseconds
    package var budget: RetryBudget.Terms
    /// After which another backend gets a GET or HEAD too; nil or zero: it waits for the first one.
    package var hedgeDelay: Nanoseconds?

    package init(
        statuses: StatusSet = [502, 503, 504], tryTimeout: Nanoseconds? = nil,
        backoff: Nanoseconds = .milliseconds(25), maximumBackoff: Nanoseconds = .milliseconds(250),
        budget: RetryBudget.Terms = RetryBudget.Terms(), hedgeDelay: Nanoseconds? = nil
    ) {
        self.statuses = statuses
        self.tryTimeout = tryTimeout
        self.backoff = backoff
        self.maximumBackoff = maximumBackoff
        self.budget = budget
        self.hedgeDelay = hedgeDelay
    }

    package static let standard = RetryPolicy()

    package var isHedging: Bool { hedgeDelay ?? .zero > .zero }

    /// The pause before a retry, counted from 1. The first goes to another backend at once; the others wait a random
    /// part of a growing time, so that requests that failed together do not come back together ("full jitter").
    package func pause(before retry: Int, random: inout RandomSource) -> Nanoseconds {
        guard retry > 1, backoff > .zero else { return .zero }
        let bound = min(backoff * (1 << UInt64(min(retry - 2, 20))), maximumBackoff)
        return Nanoseconds(random.next() % (bound.count + 1))
    }
}
