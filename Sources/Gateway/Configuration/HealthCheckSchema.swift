import Posix

/// The kinds of health check; the raw value is the name in files.
private enum HealthCheckKind: String, CaseIterable {
    case tcp
    case http
    case none
}

extension Schema where Value == HealthCheck? {
    /// The `health` object of an upstream.
    static let healthCheck = tagged("type", default: HealthCheckKind.tcp) { kind in
        switch kind {
        case .tcp: tcp
        case .http: http
        case .none: Schema.object(kindField, make: { _ in nil })
        }
    }

    private static let tcp = Schema.object(
        kindField, interval, timeout, rise, fall,
        make: { _, interval, timeout, rise, fall in
            HealthCheck(probe: .tcp, interval: interval, timeout: timeout, rise: rise, fall: fall)
        }
    ).withinInterval

    private static let http = Schema.object(
        kindField, interval, timeout, rise, fall,
        .optional("path", .requestTarget, default: standardProbe.path, "Path and query of the GET request."),
        .optional(
            "host", .hostField, "The request's Host field. Left out: tls.serverName, or else the backend's address."),
        .optional("statuses", .statuses, default: standardProbe.statuses, "The statuses that count as success."),
        make: { _, interval, timeout, rise, fall, path, host, statuses in
            let probe = HealthCheck.HTTPProbe(path: path, host: host, statuses: statuses)
            return HealthCheck(probe: .http(probe), interval: interval, timeout: timeout, rise: rise, fall: fall)
        }
    ).withinInterval

    private static let standardProbe = HealthCheck.HTTPProbe()

    private static var kindField: Field<HealthCheckKind> {
        .optional(
            "type", .choice, default: .tcp,
            "\"tcp\": the backend accepts a connection; \"http\": it answers a GET; \"none\": it is not checked.")
    }

    private static var interval: Field<Nanoseconds> {
        .optional(
            "interval", .duration(from: .milliseconds(50), to: .seconds(3600)), default: HealthCheck.standard.interval,
            "From the start of one probe to the start of the next.")
    }

    private static var timeout: Field<Nanoseconds> {
        .optional(
            "timeout", .duration(from: .milliseconds(10), to: .seconds(60)), default: HealthCheck.standard.timeout,
            "A probe without a result after this time has failed. At most the interval.")
    }

    private static var rise: Field<Int> {
        .optional(
            "rise", .integer(1...100), default: HealthCheck.standard.rise,
            "Successes in a row after which a backend that was down is up.")
    }

    private static var fall: Field<Int> {
        .optional(
            "fall", .integer(1...100), default: HealthCheck.standard.fall,
            "Failures in a row after which a backend that was up is down.")
    }

    private var withinInterval: Schema {
        rule(
            at: "timeout", { $0.map { $0.timeout <= $0.interval } ?? true },
            wrong: "longer than the interval", right: "use at most the interval")
    }
}
