import Gateway
import Testing

/// Framing towards the client, persistence and what the gateway answers itself.
@Suite struct ExchangeTests {
    @Test func getThroughAPersistentBackend() {
        var exchange = Exchange()
        #expect(exchange.handle(.request(.get)) == .connect)
        #expect(exchange.handle(.connected) == .forwardRequest)
        #expect(exchange.handle(.response(.ok(.length(2)))) == .forwardResponse)
        #expect(exchange.replyFraming == .length(2))
        #expect(!exchange.announcesClose)
        #expect(exchange.handle(.responseBody) == .forwardResponseBody)
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.keepUpstream, .endResponse, .nextRequest])
        #expect(exchange.isIdle)
        #expect(exchange.handle(.request(.get)) == .connect)
    }

    @Test func isSmall() { #expect(MemoryLayout<Exchange>.size <= 100) }

    @Test(arguments: [BodyFraming.chunked, .untilClose])
    func unknownLengthIsChunkedForHTTP11(framing: BodyFraming) {
        var exchange = Exchange.awaiting(.get)
        _ = exchange.handle(.response(.ok(framing)))
        #expect(exchange.replyFraming == .chunked)
        #expect(!exchange.announcesClose)
    }

    @Test(arguments: [BodyFraming.chunked, .untilClose])
    func unknownLengthEndsWithTheConnectionForHTTP10(framing: BodyFraming) {
        var exchange = Exchange.awaiting(.get.http10(persistent: true))
        _ = exchange.handle(.response(.ok(framing)))
        #expect(exchange.replyFraming == .untilClose)
        #expect(exchange.announcesClose)
    }

    @Test func knownLengthKeepsAPersistentHTTP10Client() {
        var exchange = Exchange.awaiting(.get.http10(persistent: true))
        _ = exchange.handle(.response(.ok(.length(1))))
        #expect(!exchange.announcesClose)
        #expect(exchange.handle(.responseEnd(isClean: true)).contains(.nextRequest))
    }

    @Test func backendThatClosesEndsTheBody() {
        var exchange = Exchange.awaiting(.get)
        _ = exchange.handle(.response(.ok(.untilClose)))
        #expect(exchange.handle(.upstreamEnd(.possible)) == [.discardUpstream, .endResponse, .nextRequest])
    }

    @Test func clientThatAsksForCloseGetsIt() {
        var exchange = Exchange.awaiting(.get.closing)
        _ = exchange.handle(.response(.ok(.length(0))))
        #expect(exchange.announcesClose)
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.keepUpstream, .endResponse, .closeClient])
        #expect(exchange.isClosed)
    }

    @Test func backendThatAsksForCloseIsDiscarded() {
        var exchange = Exchange.awaiting(.get)
        var response = ResponseTraits.ok(.length(0))
        response.isPersistent = false
        _ = exchange.handle(.response(response))
        #expect(exchange.handle(.responseEnd(isClean: true)) == [.discardUpstream, .endResponse, .nextRequest])
    }

    @Test func surplusOfTheBackendCostsItsConnection() {
        var exchange = Exchange.awaiting(.get)
        _ = exchange.handle(.response(.ok(.length(1))))
        #expect(exchange.handle(.responseEnd(isClean: false)) == [.discardUpstream, .endResponse, .nextRequest])
    }

    @Test func drainAnnouncesCloseAndEndsIdleConnections() {
        var idle = Exchange()
        #expect(idle.handle(.drain) == .closeClient)
        var busy = Exchange.awaiting(.get)
        #expect(busy.handle(.drain) == [])
        _ = busy.handle(.response(.ok(.length(0))))
        #expect(busy.announcesClose)
        #expect(busy.handle(.responseEnd(isClean: true)).contains(.closeClient))
    }

    @Test func drainAfterTheHeadStillClosesAfterTheResponse() {
        var exchange = Exchange.awaiting(.get)
        _ = exchange.handle(.response(.ok(.length(1))))
        #expect(!exchange.announcesClose)
        _ = exchange.handle(.drain)
        #expect(exchange.handle(.responseEnd(isClean: true)).contains(.closeClient))
    }

    @Test func idleConnectionsEndInSilence() {
        var timedOut = Exchange()
        #expect(timedOut.handle(.timeout(.keepAlive)) == .closeClient)
        var ended = Exchange()
        #expect(ended.handle(.clientEnd) == .closeClient)
        var lost = Exchange()
        #expect(lost.handle(.clientLost) == .abortClient)
    }

    @Test func faultyHeadIsAnsweredAndTheConnectionClosed() {
        var exchange = Exchange()
        #expect(exchange.handle(.invalidRequest(.repeatedHost)) == [.discardUpstream, .respond, .closeClient])
        #expect(exchange.answer.status == 400)
        #expect(exchange.announcesClose)
    }

    @Test func faultyHeadBehindAGoodRequestClosesToo() {
        var exchange = Exchange.awaiting(.of(.head, .none))
        _ = exchange.handle(.response(.ok(.length(0))))
        _ = exchange.handle(.responseEnd(isClean: true))
        #expect(exchange.handle(.invalidRequest(.bareLineFeed)).contains(.closeClient))
        #expect(exchange.request.method == .get, "the answer has a body, whatever was asked before")
    }

    @Test func faultyBodyIsAnsweredBeforeAReply() {
        var exchange = Exchange.awaiting(.post(.chunked))
        #expect(
            exchange.handle(.invalidRequest(.invalidChunkSize)) == [.discardUpstream, .respond, .closeClient])
    }

    @Test func faultyBodyCutsARunningReplyShort() {
        var exchange = Exchange.awaiting(.post(.chunked))
        _ = exchange.handle(.response(.ok(.length(5))))
        #expect(exchange.handle(.invalidRequest(.invalidChunkSize)) == [.discardUpstream, .closeClient])
    }

    @Test func slowHeadGets408() {
        var exchange = Exchange()
        #expect(exchange.handle(.timeout(.requestHead)) == [.discardUpstream, .respond, .closeClient])
        #expect(exchange.answer.status == 408)
    }

    @Test func slowBodyGets408() {
        var exchange = Exchange.awaiting(.post(.length(5)))
        #expect(exchange.handle(.timeout(.requestBody)) == [.discardUpstream, .respond, .closeClient])
        #expect(exchange.answer.status == 408)
    }

    @Test func requestWithoutRouteGets404AndTheConnectionStays() {
        var exchange = Exchange()
        _ = exchange.handle(.request(.get))
        #expect(exchange.handle(.unroutable) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer.status == 404)
        #expect(!exchange.announcesClose)
    }

    @Test func requestWithoutBackendGets503() {
        var exchange = Exchange()
        _ = exchange.handle(.request(.get))
        #expect(exchange.handle(.unavailable) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer.status == 503)
    }

    @Test func ownAnswerInFrontOfAnUnreadBodyCloses() {
        var exchange = Exchange()
        _ = exchange.handle(.request(.post(.length(5))))
        #expect(exchange.handle(.unroutable) == [.discardUpstream, .respond, .closeClient])
        #expect(exchange.announcesClose)
    }
}
