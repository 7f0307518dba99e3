import Posix
import Raft
import Testing

struct DialerTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func aLostConnectionIsDialledAgainAtOnce() {
        var dialer = Dialer()
        dialer.opened(token: 1)
        #expect(dialer.nextAttempt == .distantFuture)
        dialer.lost(at: start)
        #expect(dialer.nextAttempt == start)
    }

    @Test func pausesGrowToTheirLimit() {
        var dialer = Dialer()
        var pauses: [UInt64] = []
        for _ in 0..<10 {
            dialer.dial(token: 1)
            dialer.lost(at: start)
            pauses.append((dialer.nextAttempt - start).count / 1_000_000)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 64, 128, 200, 200])
    }

    /// A dying process closes its connections before its listener: the first attempt may be taken and reset.
    @Test func beingRefusedAfterAResetStillProvesThatTheProcessIsGone() {
        var dialer = Dialer()
        dialer.opened(token: 1)
        dialer.lost(at: start)
        dialer.dial(token: 2)
        dialer.lost(at: start)
        dialer.dial(token: 3)
        let first = dialer.foundNobody(at: start)
        dialer.dial(token: 4)
        let second = dialer.foundNobody(at: start)
        #expect(first && !second)
    }

    @Test func whereNobodyEverListenedNothingIsProven() {
        var dialer = Dialer()
        dialer.dial(token: 1)
        let isGone = dialer.foundNobody(at: start)
        #expect(!isGone)
    }
}
