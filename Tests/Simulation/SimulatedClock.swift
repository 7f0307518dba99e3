import Posix

/// A node's clock: begins somewhere and runs up to 1 % too fast or too slow. True time is nanoseconds since the
/// simulation began.
struct SimulatedClock {
    private static let million: UInt64 = 1_000_000

    private let start: UInt64
    /// Local nanoseconds in a million of true ones.
    private let rate: UInt64

    init(start: UInt64, driftPartsPerMillion drift: Int) {
        self.start = start
        rate = UInt64(Int(Self.million) + drift)
    }

    func instant(at time: UInt64) -> Instant { Instant(nanoseconds: start + time * rate / Self.million) }

    /// The first true time at which this clock shows `instant`.
    func time(of instant: Instant) -> UInt64 {
        guard instant.nanoseconds > start else { return 0 }
        let local = instant.nanoseconds - start
        let (product, overflow) = local.multipliedReportingOverflow(by: Self.million)
        return overflow ? .max : (product + rate - 1) / rate
    }
}
