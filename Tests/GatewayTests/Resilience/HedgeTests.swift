import Gateway
import Testing

/// Which of two attempts at a request goes on.
@Suite struct HedgeTests {
    private static func after(_ events: Hedge.Event...) -> Hedge {
        var hedge = Hedge()
        for event in events { _ = hedge.handle(event) }
        return hedge
    }

    @Test func theSecondAnswersFirst() {
        var hedge = Hedge()
        #expect(hedge.handle(.sent) == .arm)
        #expect(hedge.handle(.delayed(mayAsk: true)) == .askSecond)
        #expect(hedge.handle(.secondConnected) == .sendToSecond)
        #expect(hedge.handle(.secondAnswered(isFailure: false)) == .replaceFirst)
        #expect(hedge.phase == .over)
    }

    @Test func aFirstThatIsQuickIsAskedAlone() {
        var hedge = Self.after(.sent)
        #expect(hedge.handle(.firstAnswered) == .none)
        #expect(hedge.handle(.delayed(mayAsk: true)) == .none)
    }

    @Test func withoutBudgetNobodyIsAsked() {
        var hedge = Self.after(.sent)
        #expect(hedge.handle(.delayed(mayAsk: false)) == .none)
        #expect(hedge.handle(.firstFailed) == .none)
        #expect(hedge.handle(.sent) == .none, "one decision a request")
    }

    @Test func aFirstThatFailsIsReplacedOnceTheSecondHasTheRequest() {
        var connecting = Self.after(.sent, .delayed(mayAsk: true))
        #expect(connecting.handle(.firstFailed) == .dropSecond, "a retry finds a backend by itself")
        var racing = Self.after(.sent, .delayed(mayAsk: true), .secondConnected)
        #expect(racing.handle(.firstFailed) == .replaceFirst)
        #expect(racing.handle(.firstFailed) == .none, "what is left is an attempt like any other")
    }

    @Test func aRetryBeforeTheDelayIsArmedAnew() {
        var hedge = Self.after(.sent)
        #expect(hedge.handle(.firstFailed) == .none)
        #expect(hedge.handle(.sent) == .arm)
        #expect(hedge.handle(.delayed(mayAsk: true)) == .askSecond)
    }

    @Test(arguments: [
        Hedge.Event.secondFailed, .secondAnswered(isFailure: true), .firstAnswered, .ended,
    ])
    func theSecondIsGivenUp(event: Hedge.Event) {
        var racing = Self.after(.sent, .delayed(mayAsk: true), .secondConnected)
        #expect(racing.handle(event) == .dropSecond)
    }

    /// Every order of events keeps the promises: no second attempt without an end, none that ends twice, one a request.
    @Test(arguments: 0..<50)
    func anyOrderOfEvents(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let events: [Hedge.Event] = [
            .sent, .delayed(mayAsk: true), .delayed(mayAsk: false), .secondConnected, .secondFailed,
            .secondAnswered(isFailure: true), .secondAnswered(isFailure: false), .firstAnswered, .firstFailed,
        ]
        for _ in 0..<200 {
            var hedge = Hedge()
            var (asked, connected, dropped, replaced) = (0, 0, 0, 0)
            for step in 0...40 {
                let event = step == 40 ? Hedge.Event.ended : events[Int(random.below(UInt32(events.count)))]
                switch hedge.handle(event) {
                case .none: break
                case .arm: #expect(asked == 0)
                case .askSecond: asked += 1
                case .sendToSecond:
                    connected += 1
                    #expect(asked == 1 && dropped == 0)
                case .dropSecond: dropped += 1
                case .replaceFirst:
                    replaced += 1
                    #expect(connected == 1)
                }
                #expect(asked <= 1 && connected <= asked && dropped + replaced <= asked)
            }
            #expect(dropped + replaced == asked)
            #expect([.unused, .over].contains(hedge.phase))
        }
    }
}
