import Posix

/// How long the kernel is told to let an address in, so that it never does after the lease.
///
/// A pure core. The kernel counts a timeout from when it carries the order out, in ticks of its own clock: less than one
/// becomes one, and the last one is cut short.
package struct GateTimeout: Hashable, Sendable {
    /// With longer ticks (Linux with HZ=100) a permit would take most of a lease.
    private static let longestTick = Nanoseconds.milliseconds(5)
    private static let shortestPermit = Nanoseconds.milliseconds(4)

    /// Of the kernel's clock.
    package let tick: Nanoseconds
    /// How long a permit lasts at the most; nil where there are none. With one tick alone it could end at once.
    package let permit: Nanoseconds?
    /// How much before the end of a lease the kernel may stop letting an address in; nil where that is most of a lease.
    package let earliness: Nanoseconds?

    /// - Parameter tolerance: What handing over an order may take.
    package init(tick: Nanoseconds, tolerance: Nanoseconds = .zero) {
        self.tick = tick
        // The rest of a millisecond is lost, too.
        earliness = tick > Self.longestTick ? nil : tick + tolerance + .milliseconds(1)
        let ticks = Nanoseconds.milliseconds(UInt64((tick * 2).milliseconds.rounded(.up)))
        permit = tick > Self.longestTick ? nil : max(ticks, Self.shortestPermit)
    }

    /// For an order that is carried out by `latest`, in milliseconds; nil when too little is left.
    package func milliseconds(from latest: Instant, until end: Instant) -> UInt64? {
        end >= latest + tick ? (end - latest).count / 1_000_000 : nil
    }
}
