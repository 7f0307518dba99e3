import Posix

/// When requests are kept from a backend because of how it answers them, and for how long. Plain memory.
package struct EjectionPolicy: Hashable, Sendable {
    /// Failed requests in a row that eject a backend, 0…1000; 0 for never.
    package var consecutiveFailures: Int
    /// By how many in a hundred a backend's requests may fail more often than those of the others, 0…100; 0: they
    /// are not compared.
    package var excessPercent: Int
    /// Requests in an `interval` below which a backend is not compared with the others.
    package var minimumRequests: Int
    /// Over which backends are compared.
    package var interval: Nanoseconds
    /// The first ejection; the second in a row lasts twice as long, the third three times, up to `maximumTime`.
    package var time: Nanoseconds
    package var maximumTime: Nanoseconds
    /// Backends in a hundred that may be ejected at a time, 0…100; never the last one.
    package var maximumPercent: Int

    package init(
        consecutiveFailures: Int = 5, excessPercent: Int = 30, minimumRequests: Int = 100,
        interval: Nanoseconds = .seconds(10), time: Nanoseconds = .seconds(10),
        maximumTime: Nanoseconds = .seconds(300),
        maximumPercent: Int = 50
    ) {
        self.consecutiveFailures = consecutiveFailures
        self.excessPercent = excessPercent
        self.minimumRequests = minimumRequests
        self.interval = interval
        self.time = time
        self.maximumTime = maximumTime
        self.maximumPercent = maximumPercent
    }

    package static let standard = EjectionPolicy()

    /// How many of `count` backends may be ejected at a time: one at least, so that the smallest groups have it too.
    func mostEjected(of count: Int) -> Int {
        maximumPercent == 0 ? 0 : min(count - 1, max(1, count * maximumPercent / 100))
    }

    /// Whether a response speaks against its backend. 501 and 505 are about the request.
    @inline(__always)
    package static func isFailure(status: UInt16) -> Bool { status >= 500 && status != 501 && status != 505 }
}

/// Why a backend was ejected.
package enum EjectionCause: Hashable, Sendable, CustomStringConvertible {
    case consecutiveFailures(Int, last: PassiveFailure)
    /// In a hundred, of `requests`.
    case excess(percent: Int, others: Int, requests: Int)

    package var description: String {
        switch self {
        case .consecutiveFailures(let count, let last): "\(count) consecutive failures, the last: \(last)"
        case .excess(let percent, let others, let requests):
            "\(percent) % of \(requests) requests failed, of the others' \(others) %"
        }
    }
}
