import Gateway
import Posix
import Raft
import Testing

private let address = IPAddress("203.0.113.10")!
private let limits = HookSequence.Limits(timeout: .seconds(5), statusInterval: .seconds(2))

private func at(_ seconds: UInt64) -> Instant { .zero + .seconds(seconds) }

private func call(_ verb: HookCall.Verb, _ epoch: UInt64) -> HookSequence.Action {
    .run(HookCall(verb, address, Term(epoch)))
}

@Suite struct HookSequenceTests {
    private var sequence = HookSequence(address, limits)

    /// Cleared of what an earlier process may have left, and claimed in term 7.
    private static func claimed() -> HookSequence {
        var sequence = HookSequence(address, limits)
        _ = sequence.next(at: at(1))
        _ = sequence.ended(.exited(status: 0), at: at(1))
        sequence.want(Term(7))
        _ = sequence.next(at: at(1))
        _ = sequence.ended(.exited(status: 0), at: at(1))
        return sequence
    }

    @Test mutating func whatAnEarlierProcessLeftIsReleasedFirst() {
        sequence.want(Term(3))
        #expect(sequence.next(at: at(1)) == call(.release, 0))
        #expect(sequence.next(at: at(1)) == nil)
        #expect(!sequence.isClear)
        #expect(sequence.ended(.exited(status: 0), at: at(2)) == nil)
        #expect(sequence.next(at: at(2)) == call(.claim, 3))
        #expect(!sequence.isHeld)
        #expect(sequence.ended(.exited(status: 0), at: at(3)) == nil)
        #expect(sequence.isHeld)
    }

    @Test func aClaimIsCheckedAtOnceAndThenFromTimeToTime() {
        var sequence = Self.claimed()
        #expect(sequence.next(at: at(1)) == call(.status, 7))
        _ = sequence.ended(.exited(status: 0), at: at(1))
        #expect(sequence.next(at: at(2)) == nil)
        #expect(sequence.nextDeadline == at(3))
        #expect(sequence.next(at: at(3)) == call(.status, 7))
    }

    @Test("a claim that lies, or an address that somebody took")
    func statusSaysOtherwise() {
        var sequence = Self.claimed()
        _ = sequence.next(at: at(1))
        #expect(sequence.ended(.exited(status: 1), at: at(1)) == .notHere)
        #expect(!sequence.isHeld && !sequence.isClear)
        sequence.want(nil)
        #expect(sequence.next(at: at(1)) == call(.release, 7))
        #expect(sequence.ended(.exited(status: 0), at: at(1)) == nil)
        #expect(sequence.isClear)
    }

    @Test(
        "a status that fails or hangs tells nothing", arguments: [HookOutcome.exited(status: 2), .killed, .notStarted])
    func statusUnknown(_ outcome: HookOutcome) {
        var sequence = Self.claimed()
        _ = sequence.next(at: at(1))
        #expect(sequence.ended(outcome, at: at(4)) == nil)
        #expect(sequence.isHeld)
        #expect(sequence.next(at: at(6)) == call(.status, 7))
    }

    @Test(
        "what a failed claim may have done is released",
        arguments: [HookOutcome.exited(status: 1), .killed, .notStarted])
    func claimFails(_ outcome: HookOutcome) {
        var sequence = Self.claimed()
        sequence.want(nil)
        _ = sequence.next(at: at(1))
        _ = sequence.ended(.exited(status: 0), at: at(1))
        sequence.want(Term(8))
        #expect(sequence.next(at: at(2)) == call(.claim, 8))
        #expect(sequence.ended(outcome, at: at(3)) == .claimFailed)
        sequence.want(nil)
        #expect(sequence.next(at: at(3)) == call(.release, 8))
    }

    @Test mutating func aHangingCallIsKilledOnceAtItsLimit() {
        #expect(sequence.next(at: at(1)) == call(.release, 0))
        #expect(sequence.nextDeadline == at(6))
        #expect(sequence.next(at: at(5)) == nil)
        #expect(sequence.next(at: at(6)) == .kill)
        #expect(sequence.next(at: at(7)) == nil && !sequence.isClear)
        _ = sequence.ended(.killed, at: at(7))
        #expect(sequence.next(at: at(7)) == nil)
        #expect(sequence.next(at: at(8)) == call(.release, 0))
    }

    @Test func aClaimThatIsNotWantedAnyMoreIsKilledAndReleased() {
        var sequence = HookSequence(address, limits)
        _ = sequence.next(at: at(1))
        _ = sequence.ended(.exited(status: 0), at: at(1))
        sequence.want(Term(7))
        #expect(sequence.next(at: at(1)) == call(.claim, 7))
        sequence.want(nil)
        #expect(sequence.next(at: at(1)) == .kill)
        // It was faster than the signal.
        #expect(sequence.ended(.exited(status: 0), at: at(1)) == nil)
        #expect(!sequence.isHeld)
        #expect(sequence.next(at: at(1)) == call(.release, 7))
    }

    @Test func aNewTermBeginsWithARelease() {
        var sequence = Self.claimed()
        sequence.want(nil)
        sequence.want(Term(9))
        #expect(!sequence.isHeld)
        #expect(sequence.next(at: at(2)) == call(.release, 7))
        _ = sequence.ended(.exited(status: 0), at: at(2))
        #expect(sequence.next(at: at(2)) == call(.claim, 9))
    }

    /// Whatever happens in whatever order: one call at a time, held only after a claim of the wanted term succeeded, and
    /// clear only after a release did.
    @Test(arguments: 1...200)
    func anyOrderOfEvents(_ seed: Int) {
        var dice = SystemDice(seed: UInt64(seed))
        var sequence = HookSequence(address, limits)
        var running: HookCall?
        var wanted: Term?
        var lastSuccess: HookCall?
        for second in 1...300 {
            let now = at(UInt64(second))
            switch dice.next(below: 3) {
            case 0:
                wanted = dice.next(below: 2) == 0 ? nil : Term(UInt64(second))
                sequence.want(wanted)
            case 1:
                if let call = running {
                    let outcomes: [HookOutcome] = [.exited(status: 0), .exited(status: 1), .killed, .notStarted]
                    let outcome = outcomes[Int(dice.next(below: 4))]
                    _ = sequence.ended(outcome, at: now)
                    running = nil
                    if call.verb != .status { lastSuccess = outcome == .exited(status: 0) ? call : nil }
                }
            case _: break
            }
            while let action = sequence.next(at: now) {
                if case .run(let call) = action {
                    #expect(running == nil)
                    running = call
                    if call.verb == .claim {
                        #expect(call.epoch == wanted && lastSuccess?.verb == .release)
                        lastSuccess = nil
                    }
                }
            }
            if sequence.isHeld { #expect(lastSuccess?.verb == .claim && lastSuccess?.epoch == wanted) }
            if sequence.isClear { #expect(lastSuccess?.verb == .release && running == nil) }
        }
    }
}

private struct SystemDice {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next(below bound: UInt64) -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state % bound
    }
}
