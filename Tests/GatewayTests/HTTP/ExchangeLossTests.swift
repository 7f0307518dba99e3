import Gateway
import Testing

/// What becomes of an exchange when one side goes away.
@Suite struct ExchangeLossTests {
    @Test func countedBodyCutShortEndsInAnOrderlyClose() {
        var exchange = Exchange.awaiting(.get)
        _ = exchange.handle(.response(.ok(.length(10))))
        #expect(exchange.handle(.upstreamEnd(.possible)) == [.discardUpstream, .closeClient])
    }

    @Test func uncountedBodyCutShortEndsInAReset() {
        var exchange = Exchange.awaiting(.get.http10(persistent: false))
        _ = exchange.handle(.response(.ok(.chunked)))
        #expect(exchange.handle(.upstreamEnd(.possible)) == [.discardUpstream, .abortClient])
    }

    @Test func resetOfAnUncountedBodyIsNoEnd() {
        var exchange = Exchange.awaiting(.get)
        _ = exchange.handle(.response(.ok(.untilClose)))
        #expect(exchange.handle(.upstreamLost(.possible)) == [.discardUpstream, .closeClient])
    }

    @Test func lostClientFreesTheBackend() {
        for prepare in [Exchange.awaiting(.get), Exchange.replying(.get, .length(5))] {
            var exchange = prepare
            #expect(exchange.handle(.clientLost) == [.discardUpstream, .abortClient])
            #expect(exchange.isClosed)
        }
    }

    @Test func clientThatDoesNotReadIsReset() {
        var exchange = Exchange.replying(.get, .length(5))
        #expect(exchange.handle(.timeout(.clientWrite)) == [.discardUpstream, .abortClient])
    }

    @Test func halfClosedClientGetsItsResponse() {
        var exchange = Exchange.awaiting(.get)
        #expect(exchange.handle(.clientEnd) == [])
        _ = exchange.handle(.response(.ok(.length(0))))
        #expect(exchange.announcesClose)
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.keepUpstream, .endResponse, .closeClient])
    }

    @Test func clientThatEndsWithinItsBodyGets400() {
        var exchange = Exchange.awaiting(.post(.length(5)))
        #expect(exchange.handle(.clientEnd) == [.discardUpstream, .respond, .closeClient])
        #expect(exchange.answer == .incompleteRequest)
    }

    @Test func clientThatEndsWithinItsBodyDuringTheReply() {
        var exchange = Exchange.replying(.post(.length(5)), .length(5))
        #expect(exchange.handle(.clientEnd) == [.discardUpstream, .closeClient])
    }
}
