import Posix

/// What a route does otherwise than its upstream: nil where it does the same.
package struct RoutePolicy: Hashable, Sendable {
    /// As in `UpstreamTimeouts`.
    package struct Timeouts: Hashable, Sendable {
        package var connect: Nanoseconds?
        package var response: Nanoseconds?
        package var idle: Nanoseconds?
        package var total: Nanoseconds?

        package init(
            connect: Nanoseconds? = nil, response: Nanoseconds? = nil, idle: Nanoseconds? = nil,
            total: Nanoseconds? = nil
        ) {
            self.connect = connect
            self.response = response
            self.idle = idle
            self.total = total
        }
    }

    /// As in `RetryPolicy`, whose budget protects the backends and so is the upstream's.
    package struct Retries: Hashable, Sendable {
        package var statuses: StatusSet?
        package var tryTimeout: Nanoseconds?
        package var backoff: Nanoseconds?
        package var maximumBackoff: Nanoseconds?
        package var hedgeDelay: Nanoseconds?

        package init(
            statuses: StatusSet? = nil, tryTimeout: Nanoseconds? = nil, backoff: Nanoseconds? = nil,
            maximumBackoff: Nanoseconds? = nil, hedgeDelay: Nanoseconds? = nil
        ) {
            self.statuses = statuses
            self.tryTimeout = tryTimeout
            self.backoff = backoff
            self.maximumBackoff = maximumBackoff
            self.hedgeDelay = hedgeDelay
        }
    }

    package var timeouts: Timeouts
    package var retries: Int?
    package var retry: Retries

    package init(timeouts: Timeouts = Timeouts(), retries: Int? = nil, retry: Retries = Retries()) {
        self.timeouts = timeouts
        self.retries = retries
        self.retry = retry
    }

    package static let none = RoutePolicy()
}

extension UpstreamTimeouts {
    /// These, but for what a route has of its own.
    func overridden(by route: RoutePolicy.Timeouts) -> UpstreamTimeouts {
        UpstreamTimeouts(
            connect: route.connect ?? connect, response: route.response ?? response, idle: route.idle ?? idle,
            keepAlive: keepAlive, total: route.total ?? total)
    }
}

extension RetryPolicy {
    /// The same of retries.
    func overridden(by route: RoutePolicy.Retries) -> RetryPolicy {
        RetryPolicy(
            statuses: route.statuses ?? statuses, tryTimeout: route.tryTimeout ?? tryTimeout,
            backoff: route.backoff ?? backoff, maximumBackoff: route.maximumBackoff ?? maximumBackoff, budget: budget,
            hedgeDelay: route.hedgeDelay ?? hedgeDelay)
    }
}
