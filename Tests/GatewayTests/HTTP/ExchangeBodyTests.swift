import Gateway
import Testing

/// Request bodies, early and interim responses, upgrades.
@Suite struct ExchangeBodyTests {
    @Test func bodyWaitsForTheBackendThenGoesOn() {
        var exchange = Exchange()
        _ = exchange.handle(.request(.post(.length(5))))
        #expect(exchange.handle(.requestBody) == [])
        #expect(exchange.handle(.connected) == .forwardRequest)
        #expect(exchange.handle(.requestBody) == .forwardRequestBody)
        #expect(exchange.handle(.requestEnd) == .forwardRequestBody)
        _ = exchange.handle(.response(.ok(.length(0))))
        #expect(!exchange.announcesClose)
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.keepUpstream, .endResponse, .nextRequest])
    }

    @Test func lengthZeroNeedsNoEnd() {
        var exchange = Exchange.awaiting(.post(.length(0)))
        _ = exchange.handle(.response(.ok(.length(0))))
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.keepUpstream, .endResponse, .nextRequest])
    }

    @Test func earlyResponseIsForwardedAndBothConnectionsEnd() {
        var exchange = Exchange.awaiting(.post(.length(5)))
        #expect(exchange.handle(.response(.status(413, .length(0)))) == .forwardResponse)
        #expect(exchange.announcesClose)
        #expect(exchange.handle(.requestBody) == .forwardRequestBody)
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.discardUpstream, .endResponse, .closeClient])
        #expect(exchange.handle(.requestBody) == [])
        #expect(exchange.handle(.requestEnd) == [])
    }

    @Test func earlyResponseThatOutlastsTheRequestStillClosesAsAnnounced() {
        var exchange = Exchange.awaiting(.post(.length(5)))
        _ = exchange.handle(.response(.ok(.chunked)))
        _ = exchange.handle(.requestEnd)
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.keepUpstream, .endResponse, .closeClient])
    }

    @Test func continueIsPassedOn() {
        var exchange = Exchange.awaiting(.post(.length(5)).expecting)
        #expect(exchange.handle(.response(.status(100, .none))) == .forwardInterim)
        #expect(exchange.handle(.requestBody) == .forwardRequestBody)
        #expect(exchange.handle(.requestEnd) == .forwardRequestBody)
        #expect(exchange.handle(.response(.ok(.length(0)))) == .forwardResponse)
        #expect(!exchange.announcesClose)
    }

    @Test func refusalInsteadOfContinueCloses() {
        var exchange = Exchange.awaiting(.post(.length(5)).expecting)
        #expect(exchange.handle(.response(.status(417, .length(0)))) == .forwardResponse)
        #expect(exchange.announcesClose)
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.discardUpstream, .endResponse, .closeClient])
    }

    @Test func interimResponsesAreNotForHTTP10() {
        var exchange = Exchange.awaiting(.get.http10(persistent: false))
        #expect(exchange.handle(.response(.status(103, .none))) == [])
        #expect(exchange.handle(.response(.ok(.length(0)))) == .forwardResponse)
    }

    @Test func interimResponsesWithoutEndAreAFault() {
        var exchange = Exchange.awaiting(.get)
        for _ in 0..<Exchange.maximumInterimResponses {
            #expect(exchange.handle(.response(.status(102, .none))) == .forwardInterim)
        }
        #expect(exchange.handle(.response(.status(102, .none))) == [.discardUpstream, .respond, .closeClient])
        #expect(exchange.answer == .backendFaulty(.tooManyInterimResponses))
    }

    @Test func tunnelOpensAfter101AndClosesEachHalf() {
        var exchange = Exchange.awaiting(.get.upgrading)
        #expect(exchange.handle(.response(.status(101, .none))) == [.forwardResponse, .startTunnel])
        #expect(exchange.isTunnel)
        #expect(!exchange.announcesClose)
        #expect(exchange.handle(.clientEnd) == .halfCloseUpstream)
        #expect(exchange.handle(.upstreamEnd(.possible)) == [.discardUpstream, .closeClient])
    }

    @Test func tunnelEndsFromTheOtherSide() {
        var exchange = Exchange.awaiting(.get.upgrading)
        _ = exchange.handle(.response(.status(101, .none)))
        #expect(exchange.handle(.upstreamEnd(.possible)) == .halfCloseClient)
        #expect(exchange.handle(.clientEnd) == [.discardUpstream, .closeClient])
    }

    @Test func lossTearsTheTunnelDown() {
        for event in [ExchangeEvent.clientLost, .upstreamLost(.possible)] {
            var exchange = Exchange.awaiting(.get.upgrading)
            _ = exchange.handle(.response(.status(101, .none)))
            #expect(exchange.handle(event) == [.discardUpstream, .abortClient])
        }
    }

    @Test func idleTunnelEnds() {
        var exchange = Exchange.awaiting(.get.upgrading)
        _ = exchange.handle(.response(.status(101, .none)))
        #expect(exchange.handle(.timeout(.tunnel)) == [.discardUpstream, .closeClient])
    }

    @Test func refusedUpgradeIsAnOrdinaryResponse() {
        var exchange = Exchange.awaiting(.get.upgrading)
        #expect(exchange.handle(.response(.ok(.length(0)))) == .forwardResponse)
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.keepUpstream, .endResponse, .nextRequest])
    }

    @Test func unaskedSwitchIsAFault() {
        var exchange = Exchange.awaiting(.get)
        #expect(exchange.handle(.response(.status(101, .none))) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer == .backendFaulty(.unexpectedSwitch))
    }

    @Test func eventsOfTheWrongPhaseTrap() async {
        await #expect(processExitsWith: .failure) {
            var exchange = Exchange()
            _ = exchange.handle(.responseBody)
        }
    }
}
