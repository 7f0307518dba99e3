import Gateway
import Testing

/// When a request may go to another backend.
@Suite struct ExchangeRetryTests {
    @Test(arguments: [HTTPMethod.get, .post])
    func refusedConnectionGoesToAnotherBackend(method: HTTPMethod) {
        var exchange = Exchange()
        _ = exchange.handle(.request(.of(method, .none)))
        #expect(exchange.handle(.connectFailed) == [.discardUpstream, .retry])
        #expect(exchange.handle(.connected) == .forwardRequest)
    }

    @Test func retriesEnd() {
        var exchange = Exchange()
        _ = exchange.handle(.request(.get))
        for _ in 0..<Exchange.maximumRetries {
            #expect(exchange.handle(.connectFailed) == [.discardUpstream, .retry])
        }
        #expect(exchange.handle(.connectFailed) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer == .backendUnreachable)
    }

    @Test func noOtherBackendMeansTheLastFailureIsTold() {
        var exchange = Exchange()
        _ = exchange.handle(.request(.get))
        _ = exchange.handle(.timeout(.connect))
        #expect(exchange.handle(.unavailable) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer == .connectTimeout)
        #expect(exchange.answer.status == 504)
    }

    @Test(arguments: HTTPMethod.allCases)
    func silentDeathIsRetriedForIdempotentMethodsOnly(method: HTTPMethod) {
        var exchange = Exchange.awaiting(.of(method, .none))
        let actions = exchange.handle(.upstreamLost(.possible))
        #expect(actions.contains(.retry) == method.isIdempotent)
        if !method.isIdempotent { #expect(exchange.answer.status == 502) }
    }

    @Test(arguments: HTTPMethod.allCases)
    func unsentRequestIsRetriedForEveryMethod(method: HTTPMethod) {
        for event in [ExchangeEvent.upstreamEnd(.unsent), .upstreamLost(.unsent)] {
            var exchange = Exchange.awaiting(.of(method, .none))
            #expect(exchange.handle(event) == [.discardUpstream, .retry])
        }
    }

    @Test func unacknowledgedPostIsRetriedAfterAFIN() {
        var exchange = Exchange.awaiting(.post(.none))
        #expect(exchange.handle(.upstreamEnd(.unacknowledged)) == [.discardUpstream, .retry])
    }

    @Test func unacknowledgedPostIsNotRetriedAfterAReset() {
        var exchange = Exchange.awaiting(.post(.none))
        #expect(exchange.handle(.upstreamLost(.unacknowledged)) == [.discardUpstream, .respond, .nextRequest])
    }

    @Test func nothingIsRetriedAfterAByteOfAReply() {
        var exchange = Exchange.awaiting(.get)
        #expect(exchange.handle(.responseStarted) == [])
        #expect(exchange.handle(.upstreamEnd(.possible)) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer.status == 502)
    }

    @Test func nothingIsRetriedAfterAnInterimResponse() {
        var exchange = Exchange.awaiting(.of(.put, .length(5)).expecting)
        _ = exchange.handle(.response(.status(100, .none)))
        #expect(!exchange.handle(.upstreamLost(.unsent)).contains(.retry))
    }

    @Test func requestThatIsNotKeptIsNotRetried() {
        var exchange = Exchange.awaiting(.of(.put, .length(5)))
        _ = exchange.handle(.requestBody)
        _ = exchange.handle(.requestNotKept)
        #expect(exchange.handle(.upstreamLost(.possible)) == [.discardUpstream, .respond, .closeClient])
    }

    @Test func keptIsAskedAnewForEachRequest() {
        var exchange = Exchange.awaiting(.get)
        _ = exchange.handle(.requestNotKept)
        _ = exchange.handle(.response(.ok(.length(0))))
        _ = exchange.handle(.responseEnd(isClean: true))
        _ = exchange.handle(.request(.get))
        _ = exchange.handle(.connected)
        #expect(exchange.handle(.upstreamLost(.possible)) == [.discardUpstream, .retry])
    }

    @Test(arguments: HTTPMethod.allCases)
    func badAnswersAreTriedAgainForIdempotentMethodsOnly(method: HTTPMethod) {
        var exchange = Exchange.awaiting(.of(method, .none))
        #expect(exchange.mayTryAgain == method.isIdempotent)
        guard method.isIdempotent else { return }
        _ = exchange.handle(.responseStarted)
        #expect(exchange.mayTryAgain, "the client has been told nothing yet")
        #expect(exchange.handle(.tryAgain(.backendRefused(503))) == [.discardUpstream, .retry])
        #expect(exchange.handle(.unavailable) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer.status == 503)
    }

    @Test func nothingIsTriedAgainThatTheClientHasHeardOf() {
        var exchange = Exchange.awaiting(.of(.put, .length(5)).expecting)
        _ = exchange.handle(.response(.status(100, .none)))
        #expect(!exchange.mayTryAgain)
        exchange = Exchange.awaiting(.of(.put, .length(5)))
        _ = exchange.handle(.requestNotKept)
        #expect(!exchange.mayTryAgain)
        #expect(!Exchange.replying(.get, .length(5)).mayTryAgain)
    }

    @Test func aRequestThatTakesTooLongInAllEnds() {
        var connecting = Exchange()
        _ = connecting.handle(.request(.get))
        #expect(connecting.handle(.timeout(.total)) == [.discardUpstream, .respond, .nextRequest])
        #expect(connecting.answer.status == 504)
        var awaiting = Exchange.awaiting(.get)
        #expect(awaiting.handle(.timeout(.total)) == [.discardUpstream, .respond, .nextRequest])
        var replying = Exchange.replying(.get, .length(5))
        #expect(replying.handle(.timeout(.total)) == [.discardUpstream, .closeClient])
    }

    @Test func slowBackendIsNotRetried() {
        var exchange = Exchange.awaiting(.get)
        #expect(exchange.handle(.timeout(.responseHead)) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer.status == 504)
    }

    @Test func faultyResponseIsNotRetried() {
        var exchange = Exchange.awaiting(.get)
        #expect(
            exchange.handle(.invalidResponse(.repeatedContentLength)) == [.discardUpstream, .respond, .nextRequest])
        #expect(exchange.answer.status == 502)
    }
}
