import Gateway
import Posix
import Testing

@Suite struct GateTimeoutTests {
    private let now = Instant.zero + .seconds(1)

    /// The kernel makes a tick of less than that, which would be late.
    @Test func nothingShorterThanATickIsAskedFor() {
        let timeouts = GateTimeout(tick: .milliseconds(4))
        #expect(timeouts.milliseconds(from: now, until: now + .milliseconds(4)) == 4)
        #expect(timeouts.milliseconds(from: now, until: now + .microseconds(3999)) == nil)
        #expect(timeouts.milliseconds(from: now, until: now + .microseconds(19_999)) == 19)
        #expect(timeouts.milliseconds(from: now + .seconds(1), until: now) == nil)
    }

    @Test(arguments: [(1000, 4), (300, 7), (250, 8)]) func aPermitLastsTwoTicks(hertz: UInt64, milliseconds: UInt64) {
        #expect(GateTimeout(tick: Nanoseconds(1_000_000_000 / hertz)).permit == .milliseconds(milliseconds))
    }

    @Test func aCoarseClockHasNoPermits() { #expect(GateTimeout(tick: .milliseconds(10)).permit == nil) }

    /// By a tick, by what handing over may take, and by what is cut off to whole milliseconds.
    @Test func theGateMayCloseEarly() {
        #expect(GateTimeout(tick: .milliseconds(4), tolerance: .milliseconds(1)).earliness == .milliseconds(6))
        #expect(GateTimeout(tick: .milliseconds(10), tolerance: .milliseconds(1)).earliness == nil)
    }

    @Test func thisKernelHasATick() {
        #expect(KernelGate.tick() >= .milliseconds(1) && KernelGate.tick() <= .milliseconds(10))
    }
}
