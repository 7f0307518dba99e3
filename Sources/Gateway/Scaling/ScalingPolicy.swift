import Posix

/// When an upstream asks for more backends, or for fewer.
package struct ScalingPolicy: Hashable, Sendable {
    /// How much one backend shall bear.
    package enum Target: Hashable, Sendable {
        /// Requests under way at once, 1…100 000.
        case requests(Int)
        /// Nine of ten responses come within this time.
        case latency(Nanoseconds)
    }

    package var target: Target
    /// 0…`most`.
    package var minimum: Int
    /// `minimum`…`most`.
    package var maximum: Int
    /// For which the load has to ask for more before more are asked for.
    package var rise: Nanoseconds
    /// For which the load has to ask for fewer before fewer are asked for.
    package var fall: Nanoseconds
    /// Between two decisions at least.
    package var pause: Nanoseconds

    package init(
        target: Target, minimum: Int = 1, maximum: Int, rise: Nanoseconds = .seconds(3),
        fall: Nanoseconds = .seconds(300), pause: Nanoseconds = .seconds(15)
    ) {
        self.target = target
        self.minimum = minimum
        self.maximum = maximum
        self.rise = rise
        self.fall = fall
        self.pause = pause
    }

    /// Backends that an upstream may ask for.
    package static let most = GatewayConfiguration.Limit.backendsPerUpstream
}

extension Schema where Value == ScalingPolicy {
    /// The `scaling` object of an upstream.
    static let scaling: Schema = parts.rule(
        { $0 != nil }, wrong: "it has no target, or two", right: "use one of requestsPerBackend and latency"
    )
    .map { $0! }
    .rule(at: "maximum", { $0.minimum <= $0.maximum }, wrong: "fewer than minimum", right: "use at least minimum")

    private static let parts = Schema<ScalingPolicy?>.object(
        requestsPerBackend, latency, minimum, maximum, rise, fall, pause, make: policy)

    private static func policy(
        requests: Int?, latency: Nanoseconds?, minimum: Int, maximum: Int, rise: Nanoseconds, fall: Nanoseconds,
        pause: Nanoseconds
    ) -> ScalingPolicy? {
        let target: ScalingPolicy.Target
        switch (requests, latency) {
        case (let requests?, nil): target = .requests(requests)
        case (nil, let latency?): target = .latency(latency)
        case (nil, nil), (.some, .some): return nil
        }
        return ScalingPolicy(
            target: target, minimum: minimum, maximum: maximum, rise: rise, fall: fall, pause: pause)
    }

    private static let requestsPerBackend: Field<Int?> = .optional(
        "requestsPerBackend", .integer(1...100_000),
        "Requests that one backend shall have under way at once, over all nodes.")

    private static let latency: Field<Nanoseconds?> = .optional(
        "latency", .duration(from: .milliseconds(1), to: .seconds(600)),
        "Or, instead: the time within which nine of ten responses shall come.")

    private static let minimum: Field<Int> = .optional(
        "minimum", .integer(0...ScalingPolicy.most), default: 1, "The fewest backends to ask for.")

    private static let maximum: Field<Int> = .required(
        "maximum", .integer(1...ScalingPolicy.most), "The greatest number.")

    private static let rise: Field<Nanoseconds> = .optional(
        "rise", .duration(from: .seconds(1), to: .seconds(3600)), default: .seconds(3),
        "For which the load has to ask for more.")

    private static let fall: Field<Nanoseconds> = .optional(
        "fall", .duration(from: .seconds(1), to: .seconds(86_400)), default: .seconds(300),
        "For which the load has to ask for fewer.")

    private static let pause: Field<Nanoseconds> = .optional(
        "pause", .duration(from: .seconds(1), to: .seconds(3600)), default: .seconds(15),
        "Between two decisions: give it the time in which a backend starts.")
}

extension Field where Value == ScalingPolicy? {
    /// Of an upstream.
    static var scaling: Field {
        .optional("scaling", .scaling, "How many backends the load asks for. Left out: that is nobody's question.")
    }
}
