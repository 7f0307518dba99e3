import Gateway
import Posix
import Testing

/// What a process does that another one is to replace.
@Suite struct UpgradeSequenceTests {
    private typealias Action = UpgradeSequence.Action
    private typealias Event = UpgradeSequence.Event

    private let now = Instant(nanoseconds: 1_000_000_000)
    private var sequence = UpgradeSequence()

    private mutating func take(_ events: Event...) -> [Action] {
        events.flatMap { sequence.take($0, at: now) }
    }

    private mutating func suspend() {
        #expect(sequence.begin() == [.start(.new)])
        #expect(take(.started, .prepared(version: "2")) == [.askForTime])
        #expect(take(.granted) == [.suspend])
        #expect(take(.suspended) == [.give(continuing: true)])
    }

    @Test mutating func theNewProcessTakesOver() {
        suspend()
        #expect(take(.begins) == [])
        #expect(take(.serves) == [.handOver])
        #expect(!sequence.isOver)
        #expect(take(.proven) == [.conclude(.upgraded(version: "2"))])
        #expect(sequence.isOver && take(.ended) == [])
    }

    @Test mutating func untilThePointOfNoReturnNothingChanges() {
        let failures: [[Event]] = [
            [.notStarted("no such file")], [.started, .ended], [.started, .refused("bad file")],
            [.started, .timeIsOver], [.started, .prepared(version: "2"), .notGranted("no quorum")],
            [.started, .prepared(version: "2"), .ended], [.started, .serves],
        ]
        for failure in failures {
            sequence = UpgradeSequence()
            _ = sequence.begin()
            let actions = failure.flatMap { sequence.take($0, at: now) }
            #expect(actions.last(where: { if case .conclude(.kept) = $0 { true } else { false } }) != nil, "\(failure)")
            #expect(actions.contains(.kill) && !actions.contains(.suspend) && sequence.isOver, "\(failure)")
        }
    }

    @Test mutating func aNewProcessThatFailsBeforeItBeginsGivesWayToTheFormerProgramWithTheLease() {
        suspend()
        #expect(take(.refused("the log is damaged")) == [.kill, .start(.former)])
        #expect(take(.started, .prepared(version: "1")) == [.give(continuing: true)])
        #expect(take(.begins, .serves) == [.handOver])
        #expect(take(.proven) == [.conclude(.restored(because: "the log is damaged"))])
    }

    @Test mutating func nobodyContinuesWhatAnotherHasBegun() {
        suspend()
        #expect(take(.begins, .ended) == [.kill, .start(.former)])
        #expect(take(.started, .prepared(version: "1")) == [.give(continuing: false)])
    }

    @Test mutating func aNewProcessThatFailsWhileItProvesItselfIsReplaced() {
        suspend()
        #expect(take(.begins, .serves) == [.handOver])
        #expect(sequence.deadline == now + UpgradeSequence.Limit.proving)
        #expect(take(.timeIsOver) == [.kill, .start(.former)])
    }

    @Test mutating func aSecondFailureIsTheEnd() {
        suspend()
        #expect(take(.ended) == [.kill, .start(.former)])
        let actions = take(.notStarted("no memory"))
        #expect(actions.first == .kill && sequence.isOver)
        guard case .conclude(.failed(let reason))? = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(reason.contains("no memory"))
    }
}
