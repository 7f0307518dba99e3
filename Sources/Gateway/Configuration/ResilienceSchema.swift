import Posix

extension Schema where Value == RetryPolicy {
    /// The `retryPolicy` object of an upstream.
    static let retryPolicy = object(
        statuses, tryTimeout,
        pause(
            "backoff", upTo: .seconds(10), default: Value.standard.backoff,
            "The longest pause before the second retry; the first goes to another backend at once. Pauses are random."),
        pause(
            "maximumBackoff", upTo: .seconds(60), default: Value.standard.maximumBackoff,
            "The pause doubles with each retry up to this."),
        .integer(
            "budgetPercent", 0...100, default: Value.standard.budget.percent,
            "Of a hundred requests so many may be repeated that a backend may have seen."),
        .integer(
            "minimumPerSecond", 0...1000, default: Value.standard.budget.minimumPerSecond,
            "So many may be repeated whatever the percentage gives."),
        .optional(
            "hedgeDelay", Schema<Nanoseconds>.duration(from: .zero, to: .seconds(60)),
            "After which another backend gets a GET or HEAD without a body too; the first answer counts. Within the "
                + "budget. \"0s\" or left out: never."),
        make: { statuses, tryTimeout, backoff, maximumBackoff, percent, minimum, hedgeDelay in
            RetryPolicy(
                statuses: statuses, tryTimeout: tryTimeout, backoff: backoff, maximumBackoff: maximumBackoff,
                budget: RetryBudget.Terms(percent: percent, minimumPerSecond: minimum), hedgeDelay: hedgeDelay)
        }
    ).rule(
        at: "backoff", { $0.backoff <= $0.maximumBackoff }, wrong: "longer than maximumBackoff",
        right: "use at most maximumBackoff")

    private static var statuses: Field<StatusSet> {
        .optional(
            "statuses", .failureStatuses, default: Value.standard.statuses,
            "Responses to idempotent requests for which another backend is tried.")
    }

    private static var tryTimeout: Field<Nanoseconds?> {
        .optional(
            "tryTimeout", Schema<Nanoseconds>.duration(from: .milliseconds(10), to: .seconds(3600)),
            "For the head of the response to one attempt, if another backend is left to try and the request may be "
                + "repeated. Left out: no less than timeouts.response.")
    }

    private static func pause(
        _ key: String, upTo longest: Nanoseconds, default standard: Nanoseconds, _ documentation: String
    ) -> Field<Nanoseconds> {
        .optional(key, .duration(from: .zero, to: longest), default: standard, documentation)
    }
}

extension Schema where Value == EjectionPolicy {
    /// The `ejection` object of an upstream.
    static let ejection = object(
        .integer(
            "consecutiveFailures", 0...1000, default: Value.standard.consecutiveFailures,
            "Failed requests in a row that eject a backend: no response, none in time, an invalid one, or 5xx without 501 "
                + "and 505. 0: never."),
        .integer(
            "excessPercent", 0...100, default: Value.standard.excessPercent,
            "By how many in a hundred requests a backend may fail more often than the others. 0: they are not compared."
        ),
        .integer(
            "minimumRequests", 1...1_000_000, default: Value.standard.minimumRequests,
            "Requests in an interval below which a backend is not compared with the others."),
        time(
            "interval", from: .seconds(1), to: .seconds(3600), default: Value.standard.interval,
            "Over which backends are compared."),
        time(
            "time", to: .seconds(3600), default: Value.standard.time,
            "How long the first ejection lasts; the second in a row twice as long, and so on."),
        time(
            "maximumTime", to: .seconds(86_400), default: Value.standard.maximumTime,
            "How long an ejection lasts at the most."),
        .integer(
            "maximumPercent", 0...100, default: Value.standard.maximumPercent,
            "Of a hundred backends so many may be ejected at a time; one of a few, but never the last. 0: none."),
        make: { consecutive, excess, minimum, interval, time, maximumTime, maximumPercent in
            EjectionPolicy(
                consecutiveFailures: consecutive, excessPercent: excess, minimumRequests: minimum, interval: interval,
                time: time, maximumTime: maximumTime, maximumPercent: maximumPercent)
        }
    ).rule(
        at: "time", { $0.time <= $0.maximumTime }, wrong: "longer than maximumTime", right: "use at most maximumTime")

    private static func time(
        _ key: String, from shortest: Nanoseconds = .milliseconds(100), to longest: Nanoseconds,
        default standard: Nanoseconds, _ documentation: String
    ) -> Field<Nanoseconds> {
        .optional(key, .duration(from: shortest, to: longest), default: standard, documentation)
    }
}

extension Schema where Value == LoadLimits {
    /// The `limits` object of an upstream.
    static let loadLimits = object(
        limit("requests", "Requests that one node has under way at all backends. Left out: no limit."),
        limit("requestsPerBackend", "The same for each backend. Left out: no limit."),
        .integer(
            "queue", 0...100_000, default: Value.standard.queue,
            "Requests that may wait at a node until others end; further ones get 503. Only with one of the limits."),
        Field<Nanoseconds>.optional(
            "queueTimeout", .duration(from: .milliseconds(10), to: .seconds(3600)),
            default: Value.standard.queueTimeout, "For which a request waits before it gets 503."),
        make: { requests, requestsPerBackend, queue, queueTimeout in
            LoadLimits(
                requests: requests, requestsPerBackend: requestsPerBackend, queue: queue, queueTimeout: queueTimeout)
        })

    private static func limit(_ key: String, _ documentation: String) -> Field<Int?> {
        .optional(key, Schema<Int>.integer(1...1_000_000), documentation)
    }
}

extension Field where Value == Nanoseconds {
    /// Of an upstream.
    static var slowStart: Field {
        .optional(
            "slowStart", .duration(from: .zero, to: .seconds(3600)), default: Nanoseconds.zero,
            "Over which a backend that comes back gets more and more of its share. Zero: all of it at once.")
    }
}

extension Field where Value == Int {
    fileprivate static func integer(
        _ key: String, _ range: ClosedRange<Int>, default standard: Int, _ documentation: String
    ) -> Field {
        .optional(key, .integer(range), default: standard, documentation)
    }
}

extension Schema where Value == StatusSet {
    static var failureStatuses: Schema {
        Schema<[Int]>.array(of: .integer(StatusSet.range).distinct(), count: 0...16).map(
            write: { "\($0.statuses)" }, { StatusSet($0) })
    }
}
