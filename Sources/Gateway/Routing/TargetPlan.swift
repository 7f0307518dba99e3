/// Where the routes of a configuration lead: to an upstream, or to a copy of one with a policy of the route's.
struct TargetPlan {
    struct Copy: Hashable {
        /// The place of the upstream.
        let upstream: Int32
        let policy: RoutePolicy
    }

    /// They come behind all upstreams. Routes with the same policy share one.
    private(set) var copies: [Copy] = []
    /// Of each route, in the configuration's order.
    private(set) var targets: [Int32] = []

    init(_ configuration: GatewayConfiguration) {
        let names = configuration.upstreams.map(\.name)
        let upstreams = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, Int32($0)) })
        var places: [Copy: Int32] = [:]
        for route in configuration.routes {
            guard let upstream = upstreams[route.upstream] else { preconditionFailure("every route has its upstream") }
            let copy = Copy(upstream: upstream, policy: route.policy)
            if route.policy == .none {
                targets.append(upstream)
            } else if let place = places[copy] {
                targets.append(place)
            } else {
                places[copy] = Int32(names.count + copies.count)
                targets.append(Int32(names.count + copies.count))
                copies.append(copy)
            }
        }
    }
}
