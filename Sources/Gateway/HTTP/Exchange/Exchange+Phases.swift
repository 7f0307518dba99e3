/// The table of phases and events. What several cells share is in `Exchange+Outcomes.swift`.
extension Exchange {
    mutating func whenIdle(_ event: ExchangeEvent) -> ExchangeActions {
        switch event {
        case .request(let traits):
            begin(traits)
            return .connect
        case .invalidRequest(let fault):
            request = RequestTraits()
            requestEnded = false
            return fail(.faultyRequest(fault))
        case .timeout(.requestHead):
            request = RequestTraits()
            requestEnded = false
            return fail(.requestTimeout)
        case .timeout(.keepAlive), .clientEnd, .drain:
            phase = .closed
            return .closeClient
        case .clientLost, .timeout(.clientWrite):
            phase = .closed
            return .abortClient
        case .requestBody, .requestEnd, .requestNotKept, .unroutable, .answered, .unavailable, .connected,
            .connectFailed,
            .responseStarted, .response, .invalidResponse, .tryAgain, .responseBody, .responseEnd, .upstreamEnd,
            .upstreamLost, .timeout:
            preconditionFailure("\(event) without a request")
        }
    }

    mutating func whenConnecting(_ event: ExchangeEvent) -> ExchangeActions {
        switch event {
        case .connected:
            phase = .awaiting
            return .forwardRequest
        case .connectFailed, .upstreamEnd, .upstreamLost:
            return retryOrFail(.backendUnreachable, wasSeen: false)
        case .timeout(.connect):
            return retryOrFail(.connectTimeout, wasSeen: false)
        case .unroutable:
            return fail(.noRoute)
        case .answered(let answer):
            return fail(answer)
        case .unavailable:
            return fail(retries > 0 ? answer : .noBackend)
        case .requestBody:
            return []
        case .requestEnd:
            requestEnded = true
            return []
        case .invalidRequest, .requestNotKept, .clientEnd, .clientLost, .drain, .timeout(.requestBody),
            .timeout(.clientWrite), .timeout(.total):
            return beforeReply(event)
        case .request, .responseStarted, .response, .invalidResponse, .tryAgain, .responseBody, .responseEnd, .timeout:
            preconditionFailure("\(event) while connecting")
        }
    }

    mutating func whenAwaiting(_ event: ExchangeEvent) -> ExchangeActions {
        switch event {
        case .requestBody:
            return .forwardRequestBody
        case .requestEnd:
            requestEnded = true
            return .forwardRequestBody
        case .responseStarted:
            replied = true
            return []
        case .response(let traits):
            return receive(traits)
        case .invalidResponse(let fault):
            return fail(.backendFaulty(fault))
        case .upstreamEnd(let delivery):
            return retryOrFail(.backendLost, wasSeen: wasSeen(delivery, byReset: false))
        case .upstreamLost(let delivery):
            return retryOrFail(.backendLost, wasSeen: wasSeen(delivery, byReset: true))
        case .tryAgain(let failure):
            return tryAgain(failure)
        case .timeout(.responseHead):
            return fail(.responseTimeout)
        case .invalidRequest, .requestNotKept, .clientEnd, .clientLost, .drain, .timeout(.requestBody),
            .timeout(.clientWrite), .timeout(.total):
            return beforeReply(event)
        case .request, .unroutable, .answered, .unavailable, .connected, .connectFailed, .responseBody, .responseEnd,
            .timeout:
            preconditionFailure("\(event) while awaiting a response")
        }
    }

    /// What the client's side does before it got a response head, and what is not about either side.
    private mutating func beforeReply(_ event: ExchangeEvent) -> ExchangeActions {
        switch event {
        case .invalidRequest(let fault):
            return fail(.faultyRequest(fault))
        case .requestNotKept:
            requestKept = false
            return []
        case .clientEnd:
            clientEnded = true
            return requestEnded ? [] : fail(.incompleteRequest)
        case .clientLost, .timeout(.clientWrite):
            phase = .closed
            return [.discardUpstream, .abortClient]
        case .drain:
            draining = true
            return []
        case .timeout(.requestBody):
            return fail(.requestTimeout)
        case .timeout(.total):
            return fail(.totalTimeout)
        case .request, .requestBody, .requestEnd, .unroutable, .answered, .unavailable, .connected, .connectFailed,
            .responseStarted, .response, .invalidResponse, .tryAgain, .responseBody, .responseEnd, .upstreamEnd,
            .upstreamLost, .timeout:
            preconditionFailure("\(event) is not one of the client's side")
        }
    }

    mutating func whenReplying(_ event: ExchangeEvent) -> ExchangeActions {
        switch event {
        case .responseBody:
            return .forwardResponseBody
        case .responseEnd(let isClean):
            return complete(upstreamIsClean: isClean)
        case .upstreamEnd:
            return responseFraming == .untilClose ? complete(upstreamIsClean: false) : cutShort()
        case .upstreamLost, .invalidResponse, .invalidRequest, .timeout(.responseBody), .timeout(.requestBody),
            .timeout(.total):
            return cutShort()
        case .requestBody:
            return .forwardRequestBody
        case .requestEnd:
            requestEnded = true
            return .forwardRequestBody
        case .clientEnd:
            clientEnded = true
            return requestEnded ? [] : cutShort()
        case .clientLost, .timeout(.clientWrite):
            phase = .closed
            return [.discardUpstream, .abortClient]
        case .drain:
            draining = true
            return []
        case .requestNotKept:
            return []
        case .request, .unroutable, .answered, .unavailable, .connected, .connectFailed, .responseStarted, .response,
            .tryAgain, .timeout:
            preconditionFailure("\(event) while replying")
        }
    }

    mutating func whenTunnel(_ event: ExchangeEvent) -> ExchangeActions {
        switch event {
        case .clientEnd:
            clientEnded = true
            return upstreamEnded ? endTunnel() : .halfCloseUpstream
        case .upstreamEnd:
            upstreamEnded = true
            return clientEnded ? endTunnel() : .halfCloseClient
        case .timeout(.tunnel):
            return endTunnel()
        case .clientLost, .upstreamLost, .timeout(.clientWrite):
            phase = .closed
            return [.discardUpstream, .abortClient]
        case .drain, .requestNotKept:
            return []
        case .request, .invalidRequest, .requestBody, .requestEnd, .unroutable, .answered, .unavailable, .connected,
            .connectFailed, .responseStarted, .response, .invalidResponse, .tryAgain, .responseBody, .responseEnd,
            .timeout:
            preconditionFailure("\(event) in a tunnel")
        }
    }

    mutating func whenClosed(_ event: ExchangeEvent) -> ExchangeActions {
        switch event {
        case .clientEnd, .clientLost, .invalidRequest, .requestBody, .requestEnd, .requestNotKept, .drain, .timeout:
            return []
        case .request, .unroutable, .answered, .unavailable, .connected, .connectFailed, .responseStarted, .response,
            .invalidResponse, .tryAgain, .responseBody, .responseEnd, .upstreamEnd, .upstreamLost:
            preconditionFailure("\(event) after the exchange was closed")
        }
    }
}
