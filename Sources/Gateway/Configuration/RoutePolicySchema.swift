import Posix

extension Schema where Value == RoutePolicy.Timeouts {
    /// The `timeouts` object of a route.
    static let routeTimeouts = object(
        wait("connect", upTo: .seconds(60)), wait("response", upTo: .seconds(3600)),
        wait("idle", upTo: .seconds(3600)), wait("total", upTo: .seconds(86_400)),
        make: Value.init)

    private static func wait(_ key: String, upTo longest: Nanoseconds) -> Field<Nanoseconds?> {
        .optional(
            key, Schema<Nanoseconds>.duration(from: .milliseconds(10), to: longest),
            "As in the upstream's timeouts, whose value holds if this is left out.")
    }
}

extension Schema where Value == RoutePolicy.Retries {
    /// The `retryPolicy` object of a route.
    static let routeRetryPolicy = object(
        .optional("statuses", Schema<StatusSet>.failureStatuses, same),
        pause("tryTimeout", from: .milliseconds(10), to: .seconds(3600)),
        pause("backoff", from: .zero, to: .seconds(10)),
        pause("maximumBackoff", from: .zero, to: .seconds(60)),
        pause("hedgeDelay", from: .zero, to: .seconds(60)),
        make: Value.init)

    private static let same = "As in the upstream's retryPolicy, whose value holds if this is left out."

    private static func pause(_ key: String, from least: Nanoseconds, to longest: Nanoseconds) -> Field<Nanoseconds?> {
        .optional(key, Schema<Nanoseconds>.duration(from: least, to: longest), same)
    }
}

extension GatewayConfiguration {
    /// Whether no request of a route, or of an upstream, is to stay at a backend and to go to two.
    var isHedgingWithoutStickiness: Bool {
        upstreams.allSatisfy { upstream in
            guard upstream.sticky != nil else { return true }
            let own = routes.filter { $0.upstream == upstream.name }
            return !upstream.retry.isHedging
                && own.allSatisfy { !upstream.retry.overridden(by: $0.policy.retry).isHedging }
        }
    }

    /// Whether the pauses of every route grow, where it changes one of the two that its upstream has.
    var haveRoutesGrowingPauses: Bool {
        routes.allSatisfy { route in
            guard let upstream = upstreams.first(where: { $0.name == route.upstream }) else { return true }
            let policy = upstream.retry.overridden(by: route.policy.retry)
            return policy.backoff <= policy.maximumBackoff
        }
    }
}
