import Posix
import Testing

@Suite struct InstantTests {
    @Test func arithmeticStopsAtBothEnds() {
        #expect(Instant.distantFuture + .seconds(1) == .distantFuture)
        #expect(Instant(nanoseconds: 5) - Nanoseconds.seconds(1) == Instant.zero)
        #expect(Instant(nanoseconds: 5) - Instant(nanoseconds: 9) == Nanoseconds.zero)
        #expect(Instant(nanoseconds: 9) - Instant(nanoseconds: 5) == Nanoseconds(4))
        #expect(Nanoseconds.milliseconds(1) - .seconds(1) == .zero)
    }

    @Test func timeGoesOn() {
        let before = Instant.now()
        #expect(Instant.now() >= before)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (1_795_352_825_123, "2026-11-22T13:07:05.123Z"),
        ] as [(Int64, String)])
    func stampsAreRFC3339(milliseconds: Int64, text: String) {
        #expect(WallTime(millisecondsSince1970: milliseconds).description == text)
    }

    @Test func lengthsForPeople() {
        #expect(Nanoseconds.microseconds(1500).description == "1.5ms")
        #expect(Nanoseconds.seconds(90).description == "90.0s")
    }
}
